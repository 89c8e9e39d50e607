"""Linear decay to zero."""

from dataclasses import dataclass

from ctxlab.optim.warmup import Warmup


@dataclass(frozen=True)
class Linear(Warmup):
    """A factor that decreases linearly from one to zero after the warm-up."""

    def decay(self, progress: float) -> float:
        """Return one at the start, zero at the end."""
        return 1.0 - progress
