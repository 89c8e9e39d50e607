"""Shapley values: all orders counted one by one, a linear game, adding up, and standard errors that are right."""

from itertools import permutations

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.explanation.shapley import Shapley
from tests.explanation.subjects import NOTHING, Game

WEIGHTS = np.array([2.0, -1.0, 0.0, 0.5, 3.0])


def game(there):
    """Two words that only count together, a dummy, and words that add up."""
    return float(WEIGHTS[there].sum() + 4 * (there[0] and there[3]) - 2 * (there[1] and there[4] and there[0]))


def by_all_orders(worth, count):
    """The definition: the mean marginal contribution over every order."""
    total = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        there = np.zeros(count, bool)
        for player in order:
            before = worth(there)
            there[player] = True
            total[player] += worth(there) - before
    return total / len(orders)


def test_exact_values_are_those_of_all_orders_and_add_up():
    found = Shapley().attribute(Game(game, 5), NOTHING)
    np.testing.assert_allclose(found.values, by_all_orders(game, 5), atol=1e-12)
    assert found.facts == {"subsets": 32, "exact": True}
    assert found.values.sum() == pytest.approx(found.score - found.base)
    assert found.values[2] == 0
    assert found.errors is None


def test_sampled_values_add_up_and_their_errors_hold_the_truth():
    truth = by_all_orders(game, 5)
    outside = []
    for seed in range(40):
        found = Shapley(exact=4, permutations=30, seed=seed).attribute(Game(game, 5), NOTHING)
        assert found.values.sum() == pytest.approx(found.score - found.base)
        assert found.facts["exact"] is False
        assert found.values[2] == 0
        outside += (np.abs(found.values - truth) > 2.05 * found.errors + 1e-9).tolist()
    assert 0.005 < np.mean(outside) < 0.12  # nominally 0.05, of normal errors


def test_a_linear_game_is_exact_with_any_sample():
    found = Shapley(exact=0, permutations=2).attribute(Game(lambda there: float(WEIGHTS[there].sum()), 5), NOTHING)
    np.testing.assert_allclose(found.values, WEIGHTS, atol=1e-12)
    np.testing.assert_allclose(found.errors, 0, atol=1e-12)


def test_up_to_ten_sentences_every_subset_is_read_once():
    subject = Game(lambda there: float(there.sum()), 10)
    assert Shapley().attribute(subject, NOTHING).facts["exact"] is True
    assert subject.asked == 1024
    assert Shapley().attribute(Game(lambda there: float(there.sum()), 11), NOTHING).facts["exact"] is False


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"exact": 17}, "explanation.exact=17 is out of range: give 0 to 16"),
        ({"permutations": 1}, "explanation.permutations=1 is too small: give at least 2 pairs"),
        ({"most": 0}, "explanation.most=0 is too small"),
    ],
)
def test_bad_options(options, expected):
    with pytest.raises(UserError, match=expected):
        Shapley(**options)


def test_a_document_that_is_too_long_is_refused_with_what_can():
    with pytest.raises(UserError, match=r"61 sentences .*explanation=occlusion explanation.unit=sentence.*=gradient"):
        Shapley().attribute(Game(lambda there: 0.0, 61), NOTHING)
