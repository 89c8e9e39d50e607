"""``start=<run directory>``: a new run begins with the weights of an earlier one, and so has its model."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override

from ctxlab.command.fixed_keys import sentence, value_in
from ctxlab.command.overrides import find, parse, plain_text
from ctxlab.command.replay import Start, recorded, superseded
from ctxlab.core.errors import UserError

KEY = "start"

STAGES = ("train", "compare", "sweep", "plan")
"""Stages whose runs begin with weights."""

OPEN = ("model.name", "model.dropout", "model.attention_dropout")
"""Keys of the model that the new run may set."""

NUMBERS = "model.numbers"
"""Key of the numbers that tokens carry, which a run on text alone does not have: the new run may."""

GROWTH = "model.growth"
"""Key of what is added to the weights: the run's own is in them, and the new run may add more."""


def begun(stage: str, overrides: Sequence[Override]) -> list[Override]:
    """Return ``overrides`` with the model of the run that ``start=`` names; unchanged without such a key.

    Raises:
        UserError: The stage does not train, there is no such run, or another model than the run's was asked for.
    """
    given = find(overrides, KEY)
    if given is None or given.is_delete():
        return list(overrides)
    if stage not in STAGES:
        raise UserError(f"ctxlab {stage} has no start=: give run=<run directory>.")
    if given.is_sweep_override():
        raise UserError(f"{given.input_line} names several runs: give one at a time.")
    text = plain_text(given)
    if text is None:
        return list(overrides)
    origin = recorded(KEY, f"start={text}", Path(text).expanduser().absolute(), "train")
    kept = [override for override in overrides if not _repeats(origin, override)]
    own = [
        one
        for one in origin.overrides
        if one.key_or_group.startswith("model.") and not _is_growth(one.key_or_group) and not superseded(one, kept)
    ]
    return [*parse([f"model={origin.choices['model']}"]), *own, *kept]


def _is_growth(key: str) -> bool:
    return key == GROWTH or key.startswith(f"{GROWTH}.")


def _is_open(key: str) -> bool:
    return key in OPEN or key == NUMBERS or key.startswith(f"{NUMBERS}.") or _is_growth(key)


def _repeats(origin: Start, override: Override) -> bool:
    """Return whether an override only repeats the run's model; raises UserError if it is another one."""
    key = override.key_or_group
    if not (key == "model" or key.startswith("model.")) or _is_open(key):
        return False
    before = value_in(origin, override)
    if override.is_delete() or override.is_sweep_override() or before != override.value():
        raise UserError(sentence(origin, override, before))
    return True
