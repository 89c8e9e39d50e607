"""Words of generated texts: diversity over all texts, and repetition within each."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from ctxlab.evaluation.repetition import ngrams, repeated
from ctxlab.evaluation.statistic import Figures, Statistic, Values
from ctxlab.evaluation.statistics import Counts, ratio

AT_ONCE = 1 << 22
"""Largest number of values in memory at once for a block of weightings."""


class TextVariety(Statistic):
    """Values: ``words``, the list of a text's lower-cased words, as distinct n-grams depend on all texts together."""

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Compute distinct-1, distinct-2, the fraction of repeated 4-grams within texts, and mean words per text."""
        texts = [one["words"] for one in values]
        times = np.ones((1, len(texts))) if weights is None else weights
        lengths = np.asarray([(len(text), 1) for text in texts], np.float64)
        return {
            "distinct_1": distinct(texts, 1, times),
            "distinct_2": distinct(texts, 2, times),
            "repetition": ratio(times @ repeated(texts)),
            "words": ratio(times @ lengths),
        }


def distinct(texts: Sequence[Sequence[str]], length: int, weights: Counts) -> Counts:
    """Return (R,) fraction of distinct n-grams among those of all texts (distinct-n; Li et al. 2016, arXiv:1510.03055).

    Args:
        texts: Words of each of N texts.
        length: Words of an n-gram.
        weights: (R, N) how often each text counts; one that does not count has no n-grams.
    """
    rows = [ngrams(text, length) for text in texts]
    total = weights @ np.asarray([len(row) for row in rows], np.float64)
    places = {ngram: place for place, ngram in enumerate(dict.fromkeys(chain(*rows)))}
    if not places:
        return np.zeros(len(weights))
    pairs = sorted((places[ngram], text) for text, row in enumerate(rows) for ngram in set(row))
    ids, holders = np.asarray(pairs).T
    first = np.flatnonzero(np.diff(ids, prepend=-1))  # start of each run of texts with the same n-gram
    different = np.zeros(len(weights))
    step = max(AT_ONCE // len(holders), 1)
    for start in range(0, len(weights), step):
        there = weights[start : start + step, holders] > 0
        different[start : start + step] = np.logical_or.reduceat(there, first, axis=1).sum(axis=1)
    return ratio(np.stack([different, total], axis=-1))


STATISTIC = TextVariety()
