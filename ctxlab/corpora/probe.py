"""Generated probes: texts with one question, at chosen lengths and depths; each probe has a file under ``probes``."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ctxlab.config.build import build
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.probe import Probe

COUNTS = {"train": 2000, "validation": 200, "test": 200}
"""Default number of documents of each split: many, as they are short."""


def writer(probe: Mapping[str, Any] | None, split: str, seed: int) -> Callable[[int], dict[str, Any]]:
    """Return the function from an index to a record, for ``data=generated``; raises UserError as ``make`` does."""
    return partial(make(probe).record, split, seed)


def make(probe: Mapping[str, Any] | None) -> Probe:
    """Build the probe with the given ``name``; the other keys are its options (``conf/probe``).

    Raises:
        UserError: There is no such probe, or an option does not fit it.
    """
    options = dict(probe or {})
    name = str(options.pop("name", None))
    if name not in probes():
        raise UserError(f"probe.name={name} is not a probe{suggestion(name, probes(), 'probes')}")
    target = f"{__package__}.probes.{name}.{name.title().replace('_', '')}"
    made = build({"_target_": target, **options}, Probe)
    made.check_lengths()
    return made


def probes() -> list[str]:
    """Return the names of all probes."""
    return sorted(path.stem for path in (Path(__file__).parent / "probes").glob("[!_]*.py"))
