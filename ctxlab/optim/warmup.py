"""What all schedules share: a linear warm-up over the first share of the budget."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ctxlab.core.errors import UserError
from ctxlab.core.optim import Schedule


@dataclass(frozen=True)
class Warmup(Schedule, ABC):
    """Rises from zero to one over ``warmup_share`` of the budget, then follows ``decay``.

    Progress rather than steps, so that one schedule serves budgets in steps, epochs, tokens and seconds.
    """

    warmup_share: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_share < 1:
            raise UserError(
                f"scheduler.warmup_share={self.warmup_share} is not a share of the budget; use 0 to below 1."
            )

    def factor(self, progress: float) -> float:
        """Factor on the learning rate at ``progress`` (0 to 1)."""
        progress = min(max(progress, 0.0), 1.0)
        if progress < self.warmup_share:
            return progress / self.warmup_share
        return self.decay((progress - self.warmup_share) / (1 - self.warmup_share))

    @abstractmethod
    def decay(self, progress: float) -> float:
        """Factor at ``progress`` (0 to 1) of what follows the warm-up."""
