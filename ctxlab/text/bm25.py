"""Okapi BM25 over the sentences of one document.

Shape legend: S sentences, T different terms, P pairs of a sentence and a term in it.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

K1, B = 1.2, 0.75
"""Term saturation and length normalisation: the usual values."""


def bm25(
    sentence: Integers, term: Integers, count: Numbers, sizes: Integers, query: Numbers, k1: float = K1
) -> Numbers:
    """Return (S,) the score of each sentence for a query (Robertson et al. 1994, TREC-3; Robertson and Zaragoza 2009).

    The inverse document frequency of a term in n sentences is log(1 + (S − n + ½) / (n + ½)); the 1 keeps it positive.

    Args:
        sentence: (P,) index of the sentence.
        term: (P,) index of the term.
        count: (P,) count of the term in the sentence.
        sizes: (S,) number of terms of each sentence, with repetitions.
        query: (T,) count of each term in the query.
        k1: Term saturation.
    """
    containing = np.bincount(term, minlength=len(query)).astype(np.float64)
    rarity = query * np.log1p((len(sizes) - containing + 0.5) / (containing + 0.5))
    long = 1 - B + B * sizes / max(float(sizes.mean()), 1e-12)
    weight = count * (k1 + 1) / (count + k1 * long[sentence])
    scores: Numbers = np.bincount(sentence, rarity[term] * weight, minlength=len(sizes)).astype(np.float64)
    return scores
