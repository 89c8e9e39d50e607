"""Corpus chrF from additive counts, which makes parts and resamples cheap; equal to sacrebleu's.

Shape legend: N character n-grams of 1 to 6 characters, 3 counts of each: those of the hypothesis, of the reference, and
of both.
"""

import re
from collections import Counter

import numpy as np

from ctxlab.evaluation.statistics import Counts

ORDER = 6
"""Longest n-gram."""

_SPACE = re.compile(r"\s+")

BETA = 2
"""Weight of recall relative to precision."""


def counts(hypothesis: str, reference: str) -> Counts:
    """Return (18,) counts of a pair of texts; white space does not count (Popović 2015, sacrebleu's defaults)."""
    given, wanted = (_SPACE.sub("", text) for text in (hypothesis, reference))
    rows = []
    for n in range(1, ORDER + 1):
        ours, theirs = (Counter(text[i : i + n] for i in range(len(text) - n + 1)) for text in (given, wanted))
        rows.append((ours.total() if theirs else 0, theirs.total(), (ours & theirs).total()))
    return np.asarray(rows, dtype=np.float64).ravel()


def chrf(sums: Counts) -> Counts:
    """Return the F score of mean precision and recall over the orders that both have, 0 to 1; (…, 18) to (…)."""
    given, wanted, common = np.moveaxis(sums.reshape(*sums.shape[:-1], ORDER, 3), -1, 0)
    both = (given > 0) & (wanted > 0)
    orders = np.maximum(both.sum(axis=-1), 1)
    precision, recall = (
        np.divide(common, other, out=np.zeros_like(common), where=both).sum(axis=-1) / orders
        for other in (given, wanted)
    )
    below = BETA**2 * precision + recall
    score: Counts = np.divide((1 + BETA**2) * precision * recall, below, out=np.zeros_like(below), where=below > 0)
    return score
