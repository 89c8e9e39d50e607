"""Relation counts: precision, recall and F1 (micro average), and Ign F1 as in DocRED's evaluation."""

import numpy as np

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, f1, ratio


class Relations(Sums):
    """Values: numbers of ``correct``, ``predicted`` and ``gold`` relations of a document, and of those in training.

    ``correct_stated`` are correct relations that occur in the training documents, ``gold_stated`` gold ones.
    """

    columns = ("correct", "predicted", "gold", "correct_stated", "gold_stated")

    def of(self, sums: Counts) -> Figures:
        """Compute the four figures of DocRED."""
        return {
            "precision": ratio(sums[..., [0, 1]]),
            "recall": ratio(sums[..., [0, 2]]),
            "f1": f1(sums[..., :3]),
            "ign_f1": ign_f1(sums),
        }


def ign_f1(sums: Counts) -> Counts:
    """Return the F1 of the usual recall and a precision without correct relations of training; (…, 5) to (…)."""
    correct, predicted, gold, stated = (sums[..., i] for i in range(4))
    precision = ratio(np.stack([correct - stated, predicted - stated], axis=-1))
    recall = ratio(np.stack([correct, gold], axis=-1))
    return ratio(np.stack([2 * precision * recall, precision + recall], axis=-1))


STATISTIC = Relations()
