"""Counts of relations between entities that another run found, matched with gold ones."""

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, f1, ratio


class EndToEnd(Sums):
    """Values: numbers of ``correct``, ``predicted`` and ``gold`` relations of a document."""

    columns = ("correct", "predicted", "gold")

    def of(self, sums: Counts) -> Figures:
        """Compute precision, recall and F1."""
        return {
            "end_to_end_precision": ratio(sums[..., [0, 1]]),
            "end_to_end_recall": ratio(sums[..., [0, 2]]),
            "end_to_end_f1": f1(sums),
        }


STATISTIC = EndToEnd()
