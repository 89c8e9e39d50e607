"""The trigram baseline, by hand."""

import math

import pytest

from scripts.bench.trigram import Trigram


def test_by_hand():
    # Unigrams: a 2, b 1 of 3 tokens of 2 kinds; behind a: b 1, behind b: a 1; behind (a, b): a 1.
    model = Trigram([[0, 1, 0]], vocabulary_size=4)
    a, b = (2 + 2 / 4) / 5, (1 + 2 / 4) / 5
    assert model.probability(0, []) == pytest.approx(a)
    assert model.probability(1, [0]) == pytest.approx((1 + b) / 2)
    assert model.probability(0, [0, 1]) == pytest.approx((1 + (1 + a) / 2) / 2)
    assert model.probability(0, [3, 1]) == pytest.approx((1 + a) / 2)  # never seen: the shorter history
    assert model.perplexity([0, 1, 0]) == pytest.approx(
        math.exp(-(math.log((1 + b) / 2) + math.log((1 + (1 + a) / 2) / 2)) / 2)
    )


@pytest.mark.parametrize("before", [[], [0], [2, 1], [7, 7]])
def test_probabilities_sum_to_one(before):
    model = Trigram([[0, 1, 2, 0, 1, 3, 2, 1], [4, 4, 1]], vocabulary_size=8)
    assert sum(model.probability(token, before) for token in range(8)) == pytest.approx(1)


def test_documents_do_not_run_into_one_another():
    assert Trigram([[0, 1], [2, 3]], 4).probability(2, [1]) == pytest.approx(Trigram([[0, 1, 2, 3]], 4)._uniform)
