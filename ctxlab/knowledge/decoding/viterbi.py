"""The best sequence of labels among those without a forbidden transition.

Shape legend: L words, C labels.
"""

import numpy as np
import numpy.typing as npt

from ctxlab.core.types import BoolArray, IntArray

Scores = npt.NDArray[np.float64]


def best_sequence(scores: Scores, first: BoolArray, following: BoolArray) -> IntArray:
    """Return (L,) the sequence with the highest sum of scores; of equals, one with low labels at its end.

    Viterbi's algorithm, in L · C² operations.

    Args:
        scores: (L, C) log probability of each label of each word; minus infinity where a word cannot have it.
        first: (C,) whether a sequence may begin with a label.
        following: (C, C) whether a label (column) may follow another one (row).

    Raises:
        ValueError: No sequence is allowed.
    """
    if not len(scores):
        return np.zeros(0, np.int64)
    steps = np.where(following, 0.0, -np.inf)
    sums = np.where(first, scores[0], -np.inf)  # (C,) of the best sequence so far that ends with a label
    before = np.zeros(scores.shape, np.int64)
    for place, own in enumerate(scores[1:], start=1):
        reached = sums[:, None] + steps  # (C, C)
        before[place] = reached.argmax(axis=0)
        sums = reached.max(axis=0) + own
    if not np.isfinite(sums.max()):
        raise ValueError(f"No sequence of {len(scores)} labels is allowed.")
    found = np.zeros(len(scores), np.int64)
    found[-1] = sums.argmax()
    for place in range(len(scores) - 1, 0, -1):
        found[place - 1] = before[place, found[place]]
    return found


def num_forbidden(labels: IntArray, first: BoolArray, following: BoolArray) -> int:
    """Return how many transitions of a sequence (L,) are forbidden, its beginning included."""
    if not len(labels):
        return 0
    return int(not first[labels[0]]) + int((~following[labels[:-1], labels[1:]]).sum())
