"""Character n-grams of chrF (Popović 2015): the figure over all texts."""

from ctxlab.evaluation.chrf import chrf
from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts


class Chrf(Sums):
    """``ngrams``: of each order from 1 to 6 those of the text, of the reference, and of both (``evaluation.chrf``)."""

    columns = ("ngrams",)

    def of(self, sums: Counts) -> Figures:
        """From 0 to 1."""
        return {"chrf": chrf(sums)}


STATISTIC = Chrf()
