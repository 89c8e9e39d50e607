"""Relation counts: precision, recall and F1 (micro average), and Ign F1 as DocRED's evaluation has it."""

import numpy as np

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, f1, ratio


class Relations(Sums):
    """Relations of a document that are ``correct``, ``predicted``, ``gold``, and those that training states.

    ``correct_stated`` are correct relations that the training documents state, ``gold_stated`` gold ones.
    """

    columns = ("correct", "predicted", "gold", "correct_stated", "gold_stated")

    def of(self, sums: Counts) -> Figures:
        """The four figures of DocRED."""
        return {
            "precision": ratio(sums[..., [0, 1]]),
            "recall": ratio(sums[..., [0, 2]]),
            "f1": f1(sums[..., :3]),
            "ign_f1": ign_f1(sums),
        }


def ign_f1(sums: Counts) -> Counts:
    """F1 of the usual recall and of a precision without correct relations that training states; (…, 5) to (…)."""
    correct, predicted, gold, stated = (sums[..., i] for i in range(4))
    precision = ratio(np.stack([correct - stated, predicted - stated], axis=-1))
    recall = ratio(np.stack([correct, gold], axis=-1))
    return ratio(np.stack([2 * precision * recall, precision + recall], axis=-1))


STATISTIC = Relations()
