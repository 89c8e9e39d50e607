"""Where a document stands among the usual ones: normal scores of figures and labels, shares in bins."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtri

from ctxlab.core.monitoring import Reference, Seen
from ctxlab.core.types import DoubleArray

LABEL = "labels"
"""The figure of predicted labels."""


def scores(seen: Seen, reference: Reference) -> dict[str, float]:
    """Return the normal score of each figure of a document: 0 where it is in the middle of the usual ones.

    It is the quantile of the standard normal distribution at the mid-rank among the reference, so that any
    distribution, also one with ties, becomes one of mean 0 and variance of 1 at most. Labels are ranked by their share.
    """
    found = {
        name: _score(bisect_left(values, seen.figures[name]), bisect_right(values, seen.figures[name]), len(values))
        for name, values in reference.figures.items()
        if name in seen.figures
    }
    if reference.labels and seen.label is not None:
        found[LABEL] = _label_score(seen.label, reference.labels)
    return found


def _label_score(label: str, counts: Mapping[str, int]) -> float:
    before, total = 0, sum(counts.values())
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        if name == label:
            return _score(before, before + count, total)
        before += count
    return _score(total, total, total)  # one that the reference has not


def _score(below: int, up_to: int, total: int) -> float:
    """Return the normal score of the middle of two ranks, which a reference of finite size cannot make infinite."""
    return float(ndtri(((below + up_to) / 2 + 0.5) / (total + 1)))


def edges(values: Sequence[float], bins: int) -> DoubleArray:
    """Return the inner borders of bins that hold about as many of the usual values each; equal ones are joined."""
    return np.unique(np.quantile(np.asarray(values, np.float64), np.arange(1, bins) / bins))


def counts(values: Sequence[float], borders: DoubleArray) -> DoubleArray:
    """Return how many values are in each bin; a border belongs to the bin below it."""
    places = np.searchsorted(borders, np.asarray(values, np.float64), side="left")
    return np.bincount(places, minlength=len(borders) + 1).astype(np.float64)
