"""The stages of a curriculum that admits easy windows first."""

import math

from ctxlab.core.errors import UserError

ROUNDING = 1e-9
"""Fraction of a stage below which the next one counts as begun: sums of fractions are inexact."""


def check(initial: float, until: float, stages: int) -> None:
    """Check the settings of a curriculum that begins with the fraction ``initial`` of the windows.

    Raises:
        UserError: A fraction is not above 0 and at most 1, or there is no stage.
    """
    place = "strategy.curriculum"
    for name, value in (("initial", initial), ("until", until)):
        if not 0 < value <= 1:
            raise UserError(f"{place}.{name}={value} is out of range: give a fraction above 0 and at most 1.")
    if stages < 1:
        raise UserError(f"{place}.stages={stages} is too small: give at least 1.")


def begun(progress: float, until: float, stages: int) -> float:
    """Return where the stage at ``progress`` began, as a fraction of the curriculum: 0 in the first, 1 after the last.

    Args:
        progress: Fraction of the budget spent, 0 to 1.
        until: Fraction of the budget that the curriculum takes.
        stages: Number of stages of equal length in it.
    """
    return min(math.floor(progress / until * stages + ROUNDING) / stages, 1.0)
