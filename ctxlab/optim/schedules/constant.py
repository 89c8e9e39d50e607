"""No decay."""

from dataclasses import dataclass

from ctxlab.optim.warmup import Warmup


@dataclass(frozen=True)
class Constant(Warmup):
    """One throughout, after the warm-up."""

    def decay(self, progress: float) -> float:
        """Always one."""
        return 1.0
