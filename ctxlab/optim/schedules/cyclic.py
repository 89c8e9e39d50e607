"""Cosine decay in cycles, each of which starts again at the peak (Huang et al. 2017, arXiv:1704.00109)."""

import math
from dataclasses import dataclass

from ctxlab.core.errors import UserError
from ctxlab.optim.warmup import ROUNDING, Warmup


@dataclass(frozen=True)
class Cyclic(Warmup):
    """A factor that falls from one to ``floor`` along half a cosine wave, ``num_cycles`` times after the warm-up.

    The checkpoint at the end of every cycle is kept, for an ensemble or a soup of them.
    """

    num_cycles: int
    floor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_cycles < 1:
            raise UserError(f"scheduler.num_cycles={self.num_cycles} is too small: give a whole number of at least 1.")

    def decay(self, progress: float) -> float:
        """Return one at the start of every cycle, nearly ``floor`` before its end, and ``floor`` at the end of all."""
        place = 1.0 if progress >= 1 - ROUNDING else (progress * self.num_cycles + ROUNDING) % 1.0
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * place))

    def cycles_ended(self, progress: float) -> int:
        """Return how many cycles are over at ``progress``."""
        after = (min(progress, 1.0) - self.warmup_share) / (1 - self.warmup_share)
        return max(math.floor(after * self.num_cycles + ROUNDING), 0)
