"""Matches of ROUGE (Lin 2004): the mean F measure over summaries, of every type."""

from collections.abc import Sequence

from ctxlab.evaluation.rouge import TYPES, f_measure
from ctxlab.evaluation.statistic import Means, Sums, Values


class Rouge(Means):
    """Of each type a list of three counts: what matches, what the summary has, and what the gold summary has.

    These are n-grams for ``rouge1`` and ``rouge2``, and words for ``rougeL`` and ``rougeLsum``.
    """

    columns = TYPES
    total = Sums.total

    def scores(self, one: Values) -> Sequence[float]:
        """F measures of one summary."""
        return [f_measure(*one[name]) for name in TYPES]


STATISTIC = Rouge()
