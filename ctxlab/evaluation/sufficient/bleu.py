"""Word n-gram counts of corpus BLEU (Papineni et al. 2002), as in sacrebleu."""

from ctxlab.evaluation.bleu import bleu
from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts


class Bleu(Sums):
    """Values: tokens of the ``written`` and the ``gold`` text; ``correct`` and ``all`` n-grams of orders 1 to 4."""

    columns = ("written", "gold", "correct", "all")

    def of(self, sums: Counts) -> Figures:
        """Compute BLEU, from 0 to 1."""
        return {"bleu": bleu(sums)}


STATISTIC = Bleu()
