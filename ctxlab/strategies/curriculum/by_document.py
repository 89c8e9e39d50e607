"""Batches of documents of similar length."""

from ctxlab.core.strategy import Curriculum


class ByDocument(Curriculum):
    """Sorts the documents of an epoch by length, so that similar lengths share a batch; batches are shuffled.

    The context does not grow; padding is minimal. ``constant`` sorts within pools of a few steps only, so that its
    batches are composed more randomly.

    Source: bucketing by length, as in Press et al. 2021 (arXiv:2012.15832) and many toolkits.
    """

    sorts = True

    def length(self, progress: float, longest: int) -> int:
        """Return ``longest`` at any progress; shorter documents have shorter windows."""
        del progress
        return longest
