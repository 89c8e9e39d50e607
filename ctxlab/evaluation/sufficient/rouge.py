"""Match counts of ROUGE (Lin 2004): the mean F measure over summaries, for every type."""

from collections.abc import Sequence

from ctxlab.evaluation.rouge import TYPES, f_measure
from ctxlab.evaluation.statistic import Means, Sums, Values


class Rouge(Means):
    """Values: for each type three counts, those of matches, of the summary, and of the gold summary.

    They count n-grams for ``rouge1`` and ``rouge2``, and words for ``rougeL`` and ``rougeLsum``.
    """

    columns = TYPES
    total = Sums.total

    def scores(self, one: Values) -> Sequence[float]:
        """Return the F measures of one summary."""
        return [f_measure(*one[name]) for name in TYPES]


STATISTIC = Rouge()
