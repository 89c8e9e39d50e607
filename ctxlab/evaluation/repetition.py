"""Repetition of n-grams within a text."""

from collections.abc import Sequence

import numpy as np

from ctxlab.evaluation.statistics import Counts

REPEATED_WORDS = 4
"""Default length of the n-grams whose repetition is counted."""


def ngrams(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """Return all n-grams of ``length`` words."""
    return list(zip(*(words[start:] for start in range(length)), strict=False))


def repeated(texts: Sequence[Sequence[str]], length: int = REPEATED_WORDS) -> Counts:
    """Return (N, 2) number of n-grams that occurred earlier in the same text, and of all n-grams.

    Their ratio is seq-rep-n (Welleck et al. 2020, arXiv:1908.04319).

    Args:
        texts: Words of each of N texts.
        length: Words of an n-gram.
    """
    rows = []
    for text in texts:
        every = ngrams(text, length)
        rows.append((len(every) - len(set(every)), len(every)))
    return np.asarray(rows, dtype=np.float64).reshape(-1, 2)
