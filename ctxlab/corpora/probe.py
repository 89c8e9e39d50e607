"""Probes: texts that ask one thing, at chosen lengths and depths; one file a probe under ``probes``."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ctxlab.config.build import build
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.probe import Probe

COUNTS = {"train": 2000, "validation": 200, "test": 200}
"""Documents of each split, unless said otherwise: they are short, and one teaches little."""


def writer(probe: Mapping[str, Any] | None, split: str, seed: int) -> Callable[[int], dict[str, Any]]:
    """What writes the document of an index, for ``data=generated``; raises UserError as ``make`` does."""
    return partial(make(probe).record, split, seed)


def make(probe: Mapping[str, Any] | None) -> Probe:
    """The probe that ``probe`` names, with its other keys as options (``conf/probe``).

    Raises:
        UserError: There is no such probe, or an option does not fit it.
    """
    options = dict(probe or {})
    name = str(options.pop("name", None))
    if name not in probes():
        raise UserError(f"probe.name={name} is no probe{suggestion(name, probes(), 'probes')}")
    target = f"{__package__}.probes.{name}.{name.title().replace('_', '')}"
    made = build({"_target_": target, **options}, Probe)
    made.check_lengths()
    return made


def probes() -> list[str]:
    """All probes that there are."""
    return sorted(path.stem for path in (Path(__file__).parent / "probes").glob("[!_]*.py"))
