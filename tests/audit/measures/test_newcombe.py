"""Intervals of differences of rates: the paper's table, scipy's score interval, and how often they hold."""

import numpy as np
import pytest
from scipy.stats import binomtest

from ctxlab.audit.measures.newcombe import newcombe, wilson
from ctxlab.audit.measures.parity import labelled, odds_interval, odds_intervals, parity_gaps, parity_intervals


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_is_that_of_the_paper(first, second, low, high):
    """Newcombe 1998, table II, method 10."""
    found = newcombe(first, second)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@pytest.mark.parametrize(("hit", "num"), [(0, 9), (4, 9), (9, 9), (37, 180)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_interval_of_one_rate_is_that_of_scipy(hit, num, confidence):
    oracle = binomtest(hit, num).proportion_ci(confidence, method="wilson")
    assert wilson(hit, num, confidence) == pytest.approx((oracle.low, oracle.high))


def drawn(draw, rates, num=40):
    """Binary answers to documents of which all have the label, with the rate of each group."""
    groups = np.repeat(np.arange(len(rates)), num)
    said = draw.random(len(groups)) < np.asarray(rates)[groups]
    return labelled([["y"]] * len(groups), [["y"] if one else ["n"] for one in said], groups.tolist(), ["n", "y"])


@pytest.mark.parametrize("rates", [(0.9, 0.7), (0.98, 0.95), (0.8, 0.8, 0.8), (0.5, 0.6, 0.9)])
def test_the_interval_of_the_largest_difference_holds_the_true_one(rates):
    """The pair is chosen by the data: its own true difference is to be in the interval 19 times in 20."""
    draw, held, trials = np.random.default_rng(1), 0, 400
    for _ in range(trials):
        found = drawn(draw, rates)
        shares = [found.predicted[found.group == group, 1].mean() for group in range(len(rates))]
        true = rates[int(np.argmax(shares))] - rates[int(np.argmin(shares))]
        interval = parity_intervals(found)[1]
        assert interval.low <= parity_gaps(found)[1] <= interval.high
        held += interval.low <= true <= interval.high
    assert held / trials >= 0.93  # two standard errors below 0.95


def test_two_labels_of_which_one_is_the_other_are_one_comparison():
    gold = [["y"]] * 40 + [["n"]] * 40
    predicted = [["y"]] * 30 + [["n"]] * 10 + [["y"]] * 5 + [["n"]] * 35
    found = labelled(gold, predicted, [0, 1] * 40, ["n", "y"])
    assert odds_interval(found) == odds_intervals(found)[0] == odds_intervals(found)[1]


def test_a_rate_without_documents_has_no_interval():
    found = labelled([["y"], ["y"]], [["y"], ["n"]], [0, 0], ["n", "y"])
    assert parity_intervals(found)[0].low is None
