"""Words of what was written and of what was wanted: the ratio of their sums."""

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, ratio


class Lengths(Sums):
    """``written`` words of a text, and ``gold`` ones."""

    columns = ("written", "gold")

    def of(self, sums: Counts) -> Figures:
        """Below 1 where the texts are too short."""
        return {"length_ratio": ratio(sums)}


STATISTIC = Lengths()
