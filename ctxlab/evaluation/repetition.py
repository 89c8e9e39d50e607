"""How much a text repeats itself."""

from collections.abc import Sequence

import numpy as np

from ctxlab.evaluation.statistics import Counts

REPEATED_WORDS = 4
"""Words of the n-grams whose repetition is counted, unless another length is asked for."""


def word_ngrams(text: str, length: int) -> list[tuple[str, ...]]:
    """Runs of ``length`` lower-cased words parted by white space."""
    words = text.lower().split()
    return list(zip(*(words[start:] for start in range(length)), strict=False))


def repeated(texts: Sequence[str], length: int = REPEATED_WORDS) -> Counts:
    """(N, 2) of each text: n-grams that occurred in it before, and all.

    Their ratio is seq-rep-n (Welleck et al. 2020, arXiv:1908.04319).
    """
    rows = []
    for text in texts:
        every = word_ngrams(text, length)
        rows.append((len(every) - len(set(every)), len(every)))
    return np.asarray(rows, dtype=np.float64).reshape(-1, 2)
