"""Checks that several mechanisms share: what was done to a model before, and what was trained for its present shape."""

import math
from typing import Any

from ctxlab.core.added_modules import attached
from ctxlab.core.architecture import installed
from ctxlab.core.errors import UserError
from ctxlab.models.loading.reduced.rebuild import FAMILY, HEADS, INT8, SHARED


def check_unshared(model: Any, name: str) -> None:
    """Refuse a model whose layers share weights.

    Args:
        model: The original.
        name: Option of the mechanism, for messages.

    Raises:
        UserError: They do.
    """
    check_precise(model, name)
    if SHARED in installed(model.config, FAMILY):
        raise UserError(
            f"compression={name} changes layers one by one, and those of this run share their weights: compress the "
            f"run that it was made from, {installed(model.config, FAMILY)['made_from']}, and share its layers last."
        )


def check_precise(model: Any, name: str) -> None:
    """Refuse a model with weights of 8 bits; raises UserError."""
    if installed(model.config, FAMILY).get(INT8):
        raise UserError(
            f"compression={name} works on weights of full precision, and those of this run have 8 bits: compress the "
            f"run that it was made from, {installed(model.config, FAMILY)['made_from']}, and use compression=int8 last."
        )


def check_no_spans(model: Any, name: str) -> None:
    """Refuse a model whose attention part has weights of its own for each layer and head; raises UserError."""
    if attached(model, "attention") is not None:
        raise UserError(
            f"compression={name} removes or joins layers or heads, for each of which the strategy's attention has "
            "learned weights: use compression=ffn, compression=vocabulary or compression=int8."
        )


def units_per_layer(model: Any, numbers: list[int]) -> list[int]:
    """Return the number of attention units that each layer keeps, as noted or as the model has it by itself."""
    return list(installed(model.config, FAMILY).get(HEADS, numbers))


def num_removed(total: int, share: float, key: str, what: str) -> int:
    """Return how many of ``total`` a fraction removes.

    Args:
        total: How many there are.
        share: Fraction of them, above 0 and below 1.
        key: Name of the option, for messages.
        what: What they are, in the plural.

    Raises:
        UserError: The fraction is out of range, or removes none or all.
    """
    if not 0 < share < 1:
        raise UserError(f"{key}={share} is out of range: give the fraction that is removed, above 0 and below 1.")
    removed = math.floor(share * total + 0.5)
    if not 0 < removed < total:
        raise UserError(
            f"{key}={share} removes {removed} of {total} {what}: give a fraction that removes at least one and leaves "
            "one."
        )
    return removed
