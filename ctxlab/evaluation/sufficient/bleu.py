"""Word n-grams of BLEU (Papineni et al. 2002): the figure over all texts, as sacrebleu has it."""

from ctxlab.evaluation.bleu import bleu
from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts


class Bleu(Sums):
    """Tokens that were ``written`` and are in the ``gold`` text; n-grams of orders 1 to 4, ``correct`` and ``all``."""

    columns = ("written", "gold", "correct", "all")

    def of(self, sums: Counts) -> Figures:
        """From 0 to 1."""
        return {"bleu": bleu(sums)}


STATISTIC = Bleu()
