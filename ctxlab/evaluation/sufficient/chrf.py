"""Character n-gram counts of corpus chrF (Popović 2015)."""

from ctxlab.evaluation.chrf import chrf
from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts


class Chrf(Sums):
    """Values: ``ngrams``, for each order 1 to 6 those of the text, the reference, and both (``evaluation.chrf``)."""

    columns = ("ngrams",)

    def of(self, sums: Counts) -> Figures:
        """Compute chrF, from 0 to 1."""
        return {"chrf": chrf(sums)}


STATISTIC = Chrf()
