"""Okapi BM25 of the sentences of one document: the only place where it is written down.

Shape legend: S sentences, T different terms, P pairs of a sentence and a term in it.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

K1, B = 1.2, 0.75
"""Where the count of a term saturates, and how far long sentences are held back: the usual values."""


def bm25(
    sentence: Integers, term: Integers, count: Numbers, sizes: Integers, asked: Numbers, k1: float = K1
) -> Numbers:
    """(S,) score of each sentence for a query (Robertson et al. 1994, TREC-3; Robertson and Zaragoza 2009).

    The rarity of a term is log(1 + (S − n + ½) / (n + ½)) for n sentences with it: the 1 keeps it above 0.

    Args:
        sentence: (P,) number of the sentence.
        term: (P,) number of the term.
        count: (P,) how often the sentence has it.
        sizes: (S,) terms of each sentence, all of them counted.
        asked: (T,) how often the query has each term.
        k1: Where the count of a term saturates.
    """
    containing = np.bincount(term, minlength=len(asked)).astype(np.float64)
    rarity = asked * np.log1p((len(sizes) - containing + 0.5) / (containing + 0.5))
    long = 1 - B + B * sizes / max(float(sizes.mean()), 1e-12)
    weight = count * (k1 + 1) / (count + k1 * long[sentence])
    scores: Numbers = np.bincount(sentence, rarity[term] * weight, minlength=len(sizes)).astype(np.float64)
    return scores
