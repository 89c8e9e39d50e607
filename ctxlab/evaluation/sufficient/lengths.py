"""Ratio of the total words of generated and gold texts."""

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, ratio


class Lengths(Sums):
    """Values: words of the ``written`` and of the ``gold`` text."""

    columns = ("written", "gold")

    def of(self, sums: Counts) -> Figures:
        """Compute the ratio, which is below 1 where generated texts are too short."""
        return {"length_ratio": ratio(sums)}


STATISTIC = Lengths()
