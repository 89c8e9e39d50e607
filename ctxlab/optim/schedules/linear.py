"""Linear decay to zero."""

from dataclasses import dataclass

from ctxlab.optim.warmup import Warmup


@dataclass(frozen=True)
class Linear(Warmup):
    """From one to zero in a straight line."""

    def decay(self, progress: float) -> float:
        """One at the start, zero at the end."""
        return 1.0 - progress
