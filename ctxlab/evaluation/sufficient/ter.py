"""Edits of TER (Snover et al. 2006): the error rate over all texts, which may exceed 1."""

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, ratio


class Ter(Sums):
    """Values: ``edits`` from the text to the reference, and number of ``gold`` words of the reference."""

    columns = ("edits", "gold")

    def of(self, sums: Counts) -> Figures:
        """Compute edits per word."""
        return {"ter": ratio(sums)}


STATISTIC = Ter()
