"""Area under the ROC curve, for many weightings of the same documents at once.

Shape legend: N documents, R weightings.
"""

import numpy as np

from ctxlab.evaluation.statistics import Counts


def auroc(scores: Counts, gold: Counts, weights: Counts) -> Counts:
    """Return (R,) probability that a document of the class scores higher than another; ties count half, NaN without
    either.

    Args:
        scores: (N,) scores of the class.
        gold: (N,) 1 for documents of the class, 0 for others.
        weights: (R, N) how often each document counts.
    """
    order = np.argsort(scores, kind="stable")
    first = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # start of each run of equal scores
    weights, gold = weights[:, order], gold[order]
    positive = np.add.reduceat(weights * gold, first, axis=1)
    negative = np.add.reduceat(weights * (1 - gold), first, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    wins = (positive * below).sum(axis=1)
    areas: Counts = np.divide(wins, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
    return areas
