"""Strict entity counts: precision, recall and F1 over all entities (micro average)."""

import numpy as np

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, ratio


class Entities(Sums):
    """Values: ``correct`` (type and both boundaries right), ``predicted`` and ``gold`` entities of a document."""

    columns = ("correct", "predicted", "gold")

    def of(self, sums: Counts) -> Figures:
        """Compute F1 from precision and recall, as seqeval does, so that both agree to the last digit."""
        precision, recall = ratio(sums[..., [0, 1]]), ratio(sums[..., [0, 2]])
        below = precision + recall
        f1 = 2 * precision * recall / np.where(below > 0, below, 1)
        return {"precision": precision, "recall": recall, "f1": f1}


STATISTIC = Entities()
