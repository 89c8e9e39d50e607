"""Scores of sentences, by their importance in the document or for a query, from counts of terms (token ids).

Shape legend: L tokens of a document, S sentences, T different terms, P pairs of a sentence and a term in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctxlab.core.types import IntArray
from ctxlab.text.bm25 import bm25 as formula

Numbers = npt.NDArray[np.float64]

DAMPING = 0.85
"""PageRank's damping factor: the fraction of a sentence's score that comes from its neighbours."""
TOLERANCE = 1e-10
"""The iteration ends when the sum of absolute changes of all scores is below this."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of terms in sentences, as a sparse matrix ordered by sentence."""

    terms: IntArray
    """(T,) token ids, ascending."""
    sentence: IntArray
    """(P,) index of the sentence, ascending."""
    term: IntArray
    """(P,) index into ``terms``."""
    count: Numbers
    """(P,) occurrences of the term in the sentence."""
    sizes: IntArray
    """(S,) tokens of each sentence."""

    @property
    def containing(self) -> Numbers:
        """Return (T,): the number of sentences with each term."""
        return np.bincount(self.term, minlength=len(self.terms)).astype(np.float64)

    def per_sentence(self, values: Numbers) -> Numbers:
        """Return (S,): sums of values (P,) over the terms of each sentence."""
        sums: Numbers = np.bincount(self.sentence, values, minlength=len(self.sizes)).astype(np.float64)
        return sums


def count_terms(ids: IntArray, starts: IntArray) -> Counts:
    """Count the terms of a document (L,) whose sentences begin at ``starts`` (S,), the first one at 0."""
    sizes = np.diff(starts, append=len(ids))
    terms, term_of = np.unique(ids, return_inverse=True)
    pairs, count = np.unique(
        np.repeat(np.arange(len(starts)), sizes) * max(len(terms), 1) + term_of, return_counts=True
    )
    sentence, term = np.divmod(pairs, max(len(terms), 1))
    return Counts(terms, sentence, term=term, count=count.astype(np.float64), sizes=sizes)


def centrality(counts: Counts) -> Numbers:
    """Return (S,): the sum of TF-IDF cosines with all other sentences.

    Weighted degree centrality (Erkan & Radev 2004, arXiv:1109.2128, there with a threshold). Term frequency is the
    plain count; inverse document frequency is log((1 + S) / (1 + sentences with the term)) + 1. Cosines are dot
    products of unit vectors, so their sum is the dot product with the sum of all vectors: linear in the tokens.
    """
    rarity = np.log((1 + len(counts.sizes)) / (1 + counts.containing)) + 1
    weight = counts.count * rarity[counts.term]
    weight /= np.sqrt(counts.per_sentence(weight**2))[counts.sentence]
    total = np.bincount(counts.term, weight, minlength=len(counts.terms))
    cosines: Numbers = counts.per_sentence(weight * total[counts.term])
    return np.subtract(cosines, 1.0)


def textrank(counts: Counts) -> Numbers:
    """Return (S,): PageRank over a graph of sentences weighted by their overlap (Mihalcea & Tarau 2004, W04-3252).

    The overlap of two sentences is the number of terms that both have, over the sum of the logarithms of their sizes.
    Two sentences of one token, for which that sum is 0, are not connected. The score of a sentence without neighbours
    is distributed evenly over all. The S × S similarity matrix is never built: sentences of equal size share the
    denominator, so a step costs P plus the number of terms times the number of different sizes squared.
    """
    num = len(counts.sizes)
    sizes, size_of = np.unique(counts.sizes, return_inverse=True)
    logs = np.log(sizes)[:, None] + np.log(sizes)
    inverse = np.divide(1.0, logs, out=np.zeros_like(logs), where=logs > 0)
    own: Numbers = np.bincount(counts.sentence, minlength=num) * inverse[size_of, size_of]
    cell = counts.term * len(sizes) + size_of[counts.sentence]

    def propagated(scores: Numbers) -> Numbers:
        """Return (S,): the similarity matrix (S, S) without its diagonal, times scores (S,)."""
        by_size = np.bincount(cell, scores[counts.sentence], minlength=len(counts.terms) * len(sizes))
        received = (by_size.reshape(len(counts.terms), len(sizes)) @ inverse).reshape(-1)
        return np.subtract(counts.per_sentence(received[cell]), own * scores)

    strength = propagated(np.ones(num))
    connected = strength > 1e-9  # smaller values are rounding errors of 0
    share = np.divide(1.0, strength, out=np.zeros(num), where=connected)
    scores = np.full(num, 1 / num)
    while True:
        alone = scores[~connected].sum() / num
        new: Numbers = (1 - DAMPING) / num + DAMPING * (propagated(scores * share) + alone)
        if np.abs(new - scores).sum() < TOLERANCE:
            return new
        scores = new


def bm25(counts: Counts, query: Sequence[int] | IntArray) -> Numbers:
    """Return (S,): Okapi BM25 of each sentence for a query (``ctxlab.text.bm25``), whose terms count once each."""
    in_query = np.isin(counts.terms, np.asarray(query, dtype=np.int64)).astype(np.float64)
    return formula(sentence=counts.sentence, term=counts.term, count=counts.count, sizes=counts.sizes, query=in_query)
