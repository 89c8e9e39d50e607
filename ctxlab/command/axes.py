"""Several values of a key in one command, as ``ctxlab compare`` and ``ctxlab plan`` take them."""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, RangeSweep

from ctxlab.command import selected
from ctxlab.config import catalogue
from ctxlab.config.quoting import quoted
from ctxlab.core.errors import UserError

STAGES = ("compare", "plan")
"""Stages that take several values of a key in one job."""

KEY = "candidates"
"""Key that passes them to the stage: a dictionary of key → values, each as written for a single run."""

SINGLE = {
    "task": "scores of different tasks cannot be compared: give one",
    "probe": "scores of different probes cannot be compared: give one",
    "baseline": "there is one baseline: give one, or leave it out for the first candidate",
    "seed": "write seeds=3 for three seeds from seed= on",
    "seeds": "give their number, as in seeds=3; seed= is the first",
    "margin": "give one",
    "trials": "give one",
    "folds": "give one",
    "resume": "give one comparison",
    "device": "give one, and plan again for another",
}
"""Keys that can have only one value in a comparison → what to write."""

SAME_FOR_ALL = ("data", "budget", "limit", "tracking", "trainer.max_", "trainer.device", "trainer.precision")
"""Prefixes of keys whose values must be the same for all candidates to be comparable."""

PLANNED = ("trainer.device", "trainer.precision")
"""Those that may differ in a plan."""


def collected(overrides: Sequence[Override]) -> list[str]:
    """Return overrides as lines, those with several values merged into one of ``candidates``.

    Raises:
        UserError: A key with several values can have only one, or its values cannot be listed.
    """
    several = [override for override in overrides if override.is_sweep_override()]
    lines = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    if not several:
        return lines
    axes = ",".join(f"{_axis(one)}:[{','.join(map(quoted, _values(one)))}]" for one in several)
    return [*lines, f"++{KEY}={{{axes}}}"]


def check(stage: str, override: Override) -> None:
    """Refuse several values of a key that can have only one in a comparison.

    A plan compares costs and no scores, so that precisions and devices may differ.

    Raises:
        UserError: naming the override.
    """
    key, line = override.key_or_group, override.input_line
    if not override.is_sweep_override():
        return
    if key in SINGLE:
        raise UserError(f"{line} has several values: {SINGLE[key]}.")
    same = [name for name in SAME_FOR_ALL if stage != "plan" or name not in PLANNED]
    if key.startswith(tuple(same)) or override.is_hydra_override():
        raise UserError(f"{line} has several values, and a comparison needs the same for all candidates: give one.")
    added = str(line).startswith(("+", "~")) and key != selected.EXPERIMENT
    if override.package is not None or added:
        raise UserError(f"{line} has several values, which is possible only without + and ~: write {key}=….")


def _axis(override: Override) -> str:
    """Return the key as it is written before a value; experiments are added to the defaults with a plus."""
    key = str(override.key_or_group)
    return f"+{key}" if key == selected.EXPERIMENT else key


def _values(override: Override) -> Iterator[str]:
    """Yield every distinct value as it would be written for a single run."""
    content: Any = override._value
    found: list[Any]
    if isinstance(content, Glob):
        found = content.filter(catalogue.options(override.key_or_group))
    elif isinstance(content, ChoiceSweep):
        found = list(content.list)
    elif isinstance(content, RangeSweep):
        found = list(content.range())
    else:
        raise UserError(f"{override.input_line} does not list its values: write them separated by commas.")
    return iter(dict.fromkeys(map(_text, found)))


def _text(value: Any) -> str:
    return value.with_quotes() if isinstance(value, QuotedString) else str(Override._get_value_element_as_str(value))
