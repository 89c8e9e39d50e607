"""A stop request to one of several processes, which all of them obey at the same step."""

from ctxlab.core.signals import StopRequest
from ctxlab.runtime.ranks import Ranks


class Stop(StopRequest):
    """The signal that ends a run."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.agreed: int | None = None
        """A signal that some process has received, as all of them know since the latest step."""

    @property
    def due(self) -> int | None:
        """Return the signal that ends the run now; None if none does."""
        return self.signal_number if self.ranks.size == 1 else self.agreed
