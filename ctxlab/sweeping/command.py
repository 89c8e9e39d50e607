"""The command of a sweep and the commands of its trials."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from ctxlab.config.quoting import quoted
from ctxlab.sweeping.space import Point, Space

SPACE = "space.yaml"
"""Copy of the space in the sweep's directory."""

OWN = ("sweep", "margin", "resume", "seed", "data_seed", "folds", "fold")
"""Keys of the sweep itself, and those that it gives every trial."""


def shared(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep that all of its trials share."""
    parser = OverridesParser.create()
    parsed = [parser.parse_override(word) for word in overrides]
    return [str(one.input_line) for one in parsed if one.key_or_group.split(".")[0].split("/")[0] not in OWN]


def trial_words(
    *, flags: Sequence[str], shared: Sequence[str], space: Space, point: Point, fixed: Mapping[str, int], folder: Path
) -> list[str]:
    """Return the arguments after ``ctxlab`` of the command that begins a trial.

    Args:
        flags: Flags of Hydra.
        shared: Overrides of all trials.
        space: The space.
        point: What this trial tries.
        fixed: Seeds and folds, which a key of the space replaces.
        folder: Its run directory.
    """
    own = [f"{key}={value}" for key, value in fixed.items() if key not in space.names]
    return ["train", *flags, *shared, *own, *space.words(point), f"hydra.run.dir={quoted(str(folder))}"]


def resumed_words(flags: Sequence[str], folder: Path) -> list[str]:
    """Return the arguments after ``ctxlab`` of the command that continues a trial."""
    return ["train", *flags, f"resume={quoted(str(folder))}"]
