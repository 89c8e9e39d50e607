"""Base of all schedules: a linear warm-up over the first fraction of the budget."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ctxlab.core.errors import UserError
from ctxlab.core.optim import Schedule

ROUNDING = 1e-9
"""Share of a cycle that may be missing at its end: sums of shares of a budget are inexact."""


@dataclass(frozen=True)
class Warmup(Schedule, ABC):
    """A factor that rises from zero to one over ``warmup_share`` of the budget, then follows ``decay``.

    It depends on progress, not on steps, so that it works with budgets in steps, epochs, tokens and seconds.
    """

    warmup_share: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_share < 1:
            raise UserError(
                f"scheduler.warmup_share={self.warmup_share} is not a fraction of the budget; use 0 to below 1."
            )

    def factor(self, progress: float) -> float:
        """Return the factor of the learning rate at ``progress`` (0 to 1)."""
        progress = min(max(progress, 0.0), 1.0)
        if progress < self.warmup_share:
            return progress / self.warmup_share
        return self.decay((progress - self.warmup_share) / (1 - self.warmup_share))

    @abstractmethod
    def decay(self, progress: float) -> float:
        """Return the factor at ``progress`` (0 to 1) of the time after the warm-up."""
