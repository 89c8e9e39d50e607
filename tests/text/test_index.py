"""The index of words against the formula, word by word."""

import math

import pytest

from ctxlab.text.index import Bm25Index

TEXTS = ["The cat sat on the mat.", "A dog, a cat and a bird", "nothing here", "dog dog dog"]


def by_hand(query, k1=1.2, b=0.75):
    """Okapi BM25 of lower-case words without articles and punctuation."""
    split = [[w.strip(".,").lower() for w in text.split() if w.lower() not in ("the", "a")] for text in TEXTS]
    average = sum(map(len, split)) / len(split)
    found = []
    for words in split:
        total = 0.0
        for word in query:
            containing = sum(word in other for other in split)
            count = words.count(word)
            idf = math.log(1 + (len(split) - containing + 0.5) / (containing + 0.5))
            total += idf * count * (k1 + 1) / (count + k1 * (1 - b + b * len(words) / average))
        found.append(total)
    return found


@pytest.mark.parametrize("query", [["cat"], ["dog", "cat"], ["dog", "dog"], ["unicorn", "bird"]])
@pytest.mark.parametrize("k1", [1.2, 1.5])
def test_scores_are_the_formula(query, k1):
    index = Bm25Index(TEXTS, "en")
    assert index.scores(" ".join(query), k1).tolist() == pytest.approx(by_hand(query, k1))


def test_a_query_without_a_known_word_scores_nothing():
    assert Bm25Index(TEXTS).scores("unicorn").tolist() == [0.0] * 4
    assert Bm25Index(["", "."]).scores("cat").tolist() == [0.0, 0.0]
