"""Cosine decay (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts)."""

import math
from dataclasses import dataclass

from ctxlab.optim.warmup import Warmup


@dataclass(frozen=True)
class Cosine(Warmup):
    """A factor that follows half a cosine wave from one to ``floor`` after the warm-up."""

    floor: float

    def decay(self, progress: float) -> float:
        """Return one at the start, ``floor`` at the end."""
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
