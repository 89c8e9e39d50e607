import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ctxlab.evaluation.statistics import (
    NO_INTERVAL,
    RESAMPLES,
    Interval,
    bootstrap,
    bootstrap_weights,
    by_group,
    expanded_bounds,
    expanded_tail,
    f1,
    perplexity,
    ratio,
    share_interval,
    with_width,
)


def test_a_mean_gets_the_interval_of_the_textbook():
    values = np.random.default_rng(1).normal(10, 2, 400)
    counts = np.stack([values, np.ones_like(values)], axis=1)
    interval = bootstrap(counts, ratio)
    spread = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.low == pytest.approx(values.mean() - spread, abs=0.05)
    assert interval.high == pytest.approx(values.mean() + spread, abs=0.05)


def documents_with_clusters(generator, shape):
    """(…, 3) counts of right, predicted and gold entities of uneven documents, each with a rate of its own."""
    gold = np.ceil(generator.lognormal(2.5, 0.8, shape)).astype(int)
    right = generator.binomial(gold, generator.beta(4.8, 3.2, shape))
    return np.stack([right, right + generator.binomial(gold, 0.3), gold], axis=-1).astype(float)


@pytest.mark.parametrize(("num", "least"), [(5, 0.90), (10, 0.93), (20, 0.93), (100, 0.93)])
def test_intervals_contain_the_true_figure_as_often_as_they_say(num, least):
    """2,000 replicates; 0.6 of the gold is right and 0.3 of it spurious, so that the true F1 is 1.2 / 1.9."""
    generator = np.random.default_rng(num)
    contained = []
    for block in range(20):  # the replicates of a block share their resamples, and go through one call
        counts = documents_with_clusters(generator, (num, 100))

        def figures(times, counts=counts):
            bounds = expanded_bounds(f1(np.tensordot(times, counts, axes=1)), num)
            contained.extend((bounds[0] <= 1.2 / 1.9) & (bounds[1] >= 1.2 / 1.9))
            return times[:, 0]

        bootstrap_weights(num, figures, seed=block)
    assert len(contained) == 2000
    assert least <= np.mean(contained) <= 0.97


def test_one_interval_is_that_of_the_simulation():
    counts = documents_with_clusters(np.random.default_rng(0), 10)
    times = np.random.default_rng(3).multinomial(10, np.full(10, 0.1), size=RESAMPLES)
    low, high = np.quantile(f1((times @ counts).astype(float)), [expanded_tail(10), 1 - expanded_tail(10)])
    assert bootstrap(counts, f1, seed=3) == Interval(low, high)


@pytest.mark.parametrize(("num", "confidence"), [(2, 0.95), (5, 0.95), (10, 0.9), (100, 0.99), (10**7, 0.95)])
def test_quantiles_are_those_of_the_closed_form(num, confidence):
    t = stats.t(num - 1).ppf(1 - (1 - confidence) / 2)
    assert expanded_tail(num, confidence) == pytest.approx(stats.norm.cdf(-np.sqrt(num / (num - 1)) * t), rel=1e-9)
    if num > 10**6:
        assert expanded_tail(num, confidence) == pytest.approx((1 - confidence) / 2, rel=1e-4)


def test_many_documents_are_resampled_in_blocks_with_the_same_result(monkeypatch):
    counts = documents_with_clusters(np.random.default_rng(1), 30)
    whole = bootstrap(counts, f1)
    monkeypatch.setattr("ctxlab.evaluation.statistics.BLOCK_CELLS", 30 * 7)
    assert bootstrap(counts, f1) == whole


def test_documents_are_drawn_whole():
    # One half of the documents is all right, the other all wrong: as wide as with two hundred coins.
    counts = np.array([[1000, 1000]] * 100 + [[0, 1000]] * 100)
    interval = bootstrap(counts, ratio)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(200), rel=0.15)


def test_sums_by_group_by_hand():
    counts = [[1, 2], [3, 4], [5, 6]]
    assert by_group(counts, ["b", "a", "b"]).tolist() == [[6, 8], [3, 4]]
    assert by_group(counts, [2, 0, 2], range(4)).tolist() == [[3, 4], [0, 0], [6, 8], [0, 0]]


def test_perplexity_is_finite():
    assert perplexity(np.array([[6.0, 3.0], [1e6, 1.0], [0.0, 0.0]])) == pytest.approx([np.e**2, np.exp(700), 1])


def test_one_document_has_no_interval():
    assert bootstrap([[3, 4]], ratio) == NO_INTERVAL
    assert bootstrap_weights(1, lambda times: times[:, 0]) == NO_INTERVAL
    assert bootstrap([[3, 4], [0, 0], [0, 0]], ratio) == NO_INTERVAL, "the others say nothing about the figure"
    assert bootstrap([[3, 4], [2, 4]], ratio) == Interval(0.5, 0.75)


def test_a_figure_that_is_never_defined_has_no_interval():
    assert bootstrap_weights(5, lambda times: np.full(len(times), np.nan)) == NO_INTERVAL


def test_seeds_repeat():
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


@pytest.mark.parametrize(("hit", "num"), [(0, 20), (3, 20), (20, 20), (1, 500)])
def test_the_interval_of_a_share_is_the_exact_one_of_scipy(hit, num):
    oracle, found = stats.binomtest(hit, num).proportion_ci(method="exact"), share_interval(hit, num)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


def test_only_an_interval_without_width_at_0_or_1_gets_one():
    for kept in (NO_INTERVAL, Interval(0.5, 0.5), Interval(0.9, 1.0), Interval(0.0, 0.1)):
        assert with_width(kept, 10) == kept
    assert with_width(Interval(1.0, 1.0), 10) == share_interval(10, 10)
    assert with_width(Interval(0.0, 0.0), 10) == share_interval(0, 10)


@pytest.mark.parametrize("true", [0.97, 0.03])
def test_ten_documents_that_agree_do_not_say_that_all_do(true):
    """Without a width, three quarters of such intervals would be [1, 1] or [0, 0] and miss the true figure."""
    drawn = np.random.default_rng(1).binomial(1, true, (1000, 10)).astype(float)
    plain = [bootstrap(np.stack([row, np.ones(10)], axis=1), ratio, resamples=200) for row in drawn]
    wide = [with_width(one, 10) for one in plain]
    assert np.mean([one.low <= true <= one.high for one in plain]) < 0.3
    assert np.mean([one.low <= true <= one.high for one in wide]) >= 0.95
