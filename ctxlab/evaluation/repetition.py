"""How much a text repeats itself, and how varied texts are together."""

from collections.abc import Sequence

import numpy as np

from ctxlab.evaluation.statistics import Counts
from ctxlab.text.units import words

REPEATED_WORDS = 4
"""Words of the n-grams whose repetition is counted, unless another length is asked for."""


def word_ngrams(text: str, length: int) -> list[tuple[str, ...]]:
    """Runs of ``length`` lower-cased words, as ``ctxlab.text.units`` has them."""
    every = words(text.lower())
    return list(zip(*(every[start:] for start in range(length)), strict=False))


def distinct(texts: Sequence[str], length: int) -> float:
    """Share of different n-grams among those of all texts (distinct-n; Li et al. 2016, arXiv:1510.03055)."""
    every = [ngram for text in texts for ngram in word_ngrams(text, length)]
    return len(set(every)) / len(every) if every else 0.0


def repeated(texts: Sequence[str], length: int = REPEATED_WORDS) -> Counts:
    """(N, 2) of each text: n-grams that occurred in it before, and all.

    Their ratio is seq-rep-n (Welleck et al. 2020, arXiv:1908.04319).
    """
    rows = []
    for text in texts:
        every = word_ngrams(text, length)
        rows.append((len(every) - len(set(every)), len(every)))
    return np.asarray(rows, dtype=np.float64).reshape(-1, 2)
