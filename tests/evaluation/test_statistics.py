import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.evaluation.statistics import bootstrap, bootstrap_mean, by_group, f1, perplexity, ratio


def test_a_mean_gets_the_interval_of_the_textbook():
    values = np.random.default_rng(1).normal(10, 2, 400)
    counts = np.stack([values, np.ones_like(values)], axis=1)
    interval = bootstrap(counts, ratio)
    spread = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.low == pytest.approx(values.mean() - spread, abs=0.05)
    assert interval.high == pytest.approx(values.mean() + spread, abs=0.05)


def test_coverage_of_the_interval():
    hits = 0
    for trial in range(200):
        correct = np.random.default_rng(trial).random((60, 20)) < 0.7
        counts = np.stack([correct.sum(1), np.full(60, 20)], axis=1)
        interval = bootstrap(counts, ratio, resamples=300, seed=trial)
        hits += interval.low <= 0.7 <= interval.high
    assert 0.89 <= hits / 200 <= 0.99


def test_documents_are_drawn_whole():
    # One half of the documents is all right, the other all wrong: as wide as with two hundred coins.
    counts = np.array([[1000, 1000]] * 100 + [[0, 1000]] * 100)
    interval = bootstrap(counts, ratio)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(200), rel=0.15)


def test_sums_by_group_by_hand():
    counts = [[1, 2], [3, 4], [5, 6]]
    assert by_group(counts, ["b", "a", "b"]).tolist() == [[6, 8], [3, 4]]
    assert by_group(counts, [2, 0, 2], range(4)).tolist() == [[3, 4], [0, 0], [6, 8], [0, 0]]


def test_groups_are_drawn_with_all_of_their_cases():
    values, groups = np.repeat([0.0, 1.0], 500), np.repeat(np.arange(10), 100).tolist()
    assert bootstrap_mean(values, groups) == bootstrap([[0, 100]] * 5 + [[100, 100]] * 5, ratio)


def test_perplexity_stays_a_number():
    assert perplexity(np.array([[6.0, 3.0], [1e6, 1.0], [0.0, 0.0]])) == pytest.approx([np.e**2, np.exp(700), 1])


def test_one_document_has_no_spread_and_seeds_repeat():
    assert bootstrap([[3, 4]], ratio) == bootstrap([[3, 4]], ratio, seed=5)
    counts = np.random.default_rng(0).integers(1, 9, (30, 3))
    assert bootstrap(counts, f1) == bootstrap(counts, f1)
    assert bootstrap(counts, f1) != bootstrap(counts, f1, seed=1)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_f1_is_the_harmonic_mean(correct, wrong, missed):
    found, there = correct + wrong, correct + missed
    precision, recall = (correct / found if found else 0), (correct / there if there else 0)
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert float(f1(np.array([correct, found, there], dtype=float))) == pytest.approx(expected)


def test_nothing_divided_by_nothing_is_nothing():
    assert ratio(np.array([[0.0, 0.0], [1.0, 2.0]])).tolist() == [0.0, 0.5]
