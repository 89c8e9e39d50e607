"""BM25 against its formula, sentence by sentence."""

import math
from collections import Counter

import numpy as np
import pytest

from ctxlab.text.bm25 import bm25

SENTENCES = [["the", "dog", "ran", "far"], ["the", "the", "cat"], ["a", "dog", "dog", "sat", "down"]]


def by_the_formula(query, k1, b=0.75):
    mean = sum(map(len, SENTENCES)) / len(SENTENCES)
    scores = []
    for sentence in SENTENCES:
        score, count = 0.0, Counter(sentence)
        for word in query:
            n = sum(word in other for other in SENTENCES)
            rarity = math.log(1 + (len(SENTENCES) - n + 0.5) / (n + 0.5))
            score += rarity * count[word] * (k1 + 1) / (count[word] + k1 * (1 - b + b * len(sentence) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("k1", [1.2, 1.5])
@pytest.mark.parametrize("query", [["dog"], ["cat", "the"], ["dog", "dog", "far"], []])
def test_the_formula(query, k1):
    terms = sorted({word for sentence in SENTENCES for word in sentence})
    pairs = [(i, terms.index(w), n) for i, s in enumerate(SENTENCES) for w, n in sorted(Counter(s).items())]
    sentence, term, count = (np.asarray(column) for column in zip(*pairs, strict=True))
    counts = np.asarray([query.count(word) for word in terms], np.float64)
    sizes = np.asarray([len(s) for s in SENTENCES])
    found = bm25(sentence, term, count.astype(np.float64), sizes, counts, k1)
    assert found == pytest.approx(by_the_formula(query, k1))
