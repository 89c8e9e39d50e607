"""Edits of TER (Snover et al. 2006): the rate over all texts, an error that may pass 1."""

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, ratio


class Ter(Sums):
    """``edits`` that turn the text into the reference, and ``gold`` words of the reference."""

    columns = ("edits", "gold")

    def of(self, sums: Counts) -> Figures:
        """Edits a word."""
        return {"ter": ratio(sums)}


STATISTIC = Ter()
