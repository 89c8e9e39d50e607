"""The choice of global tokens by the document's structure: pure functions of a window's tokens and marks.

Shape legend: L tokens of a window.
"""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import GIVEN, HEADING, PARAGRAPH, SENTENCE, IntArray

MARKS = {"given": GIVEN, "headings": HEADING, "paragraphs": PARAGRAPH, "sentences": SENTENCE}
"""Sources of global tokens that are marked in the data, in order of priority."""

SALIENT = "salient"

SPAN_TOKENS = 64
"""Tokens of a span that replaces a sentence where none is marked."""


def choose(
    ids: IntArray, marks: IntArray, sources: Sequence[str], num_salient: int, most: int, first: int = 0
) -> IntArray:
    """Return the indices of the global tokens of one window, sorted: the first ones and at most ``most`` others.

    Tokens given by the data have priority, then headings, paragraphs, sentences, salient terms; of a source with too
    many tokens, an evenly spread selection is used.

    Args:
        ids: (L,) token ids, without padding.
        marks: (L,) marks as in ``core.types``; all 0 where there are none.
        sources: Keys of ``MARKS``, and ``SALIENT``.
        num_salient: Number of salient terms.
        most: Most global tokens besides the first ones.
        first: First tokens that are always global.
    """
    chosen = list(range(first))
    for source in (*MARKS, SALIENT):
        if source in sources:
            found = salient(ids, marks, num_salient) if source == SALIENT else np.flatnonzero(marks & MARKS[source])
            new = np.setdiff1d(found, chosen)
            room = most + first - len(chosen)
            if len(new) > room:
                new = new[(np.arange(room) * len(new)) // max(room, 1)]
            chosen += new.tolist()
    return np.sort(np.asarray(chosen, dtype=np.int64))


def salient(ids: IntArray, marks: IntArray, num_terms: int) -> IntArray:
    """Return the first occurrences of the terms (token ids) with the largest TF-IDF in the window.

    Documents of the inverse document frequency are the sentences of the window, or spans of ``SPAN_TOKENS`` tokens
    where none is marked: log((1 + n) / (1 + sentences with the term)) for n sentences (Salton and Buckley 1988).
    """
    starts = (marks & SENTENCE) > 0 if (marks & SENTENCE).any() else np.arange(len(ids)) % SPAN_TOKENS == 0
    sentence = np.cumsum(starts)
    terms, first, term_of, count = np.unique(ids, return_index=True, return_inverse=True, return_counts=True)
    pairs = np.unique(np.stack([term_of, sentence]), axis=1)
    containing = np.bincount(pairs[0], minlength=len(terms))
    weight = count * np.log((1 + sentence[-1] - sentence[0] + 1) / (1 + containing)) if len(ids) else count
    best = np.argsort(-weight, kind="stable")[:num_terms]
    return np.sort(first[best][weight[best] > 0]).astype(np.int64)
