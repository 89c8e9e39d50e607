"""No decay."""

from dataclasses import dataclass

from ctxlab.optim.warmup import Warmup


@dataclass(frozen=True)
class Constant(Warmup):
    """A constant factor of one after the warm-up."""

    def decay(self, progress: float) -> float:
        """Return one."""
        return 1.0
