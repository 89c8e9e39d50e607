import numpy as np
import pytest
from scipy import stats

from ctxlab.comparison.difference import difference, pseudo_values
from ctxlab.comparison.scored import CountScores
from ctxlab.evaluation.statistics import NO_INTERVAL, f1
from tests.comparison.simulated import contenders, entities, means, rates, ratio

RANDOM = np.random.default_rng(0)


def test_one_seed_and_a_mean_is_the_paired_t_test():
    ours, theirs = RANDOM.normal(size=(2, 1, 9))
    found, expected = difference(means(ours), means(theirs)), stats.ttest_rel(ours[0], theirs[0])
    low, high = expected.confidence_interval(0.95)
    assert found.estimate == pytest.approx((ours - theirs).mean())
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.8)
    assert difference(means(ours), means(theirs), 0.8).interval.high == pytest.approx(high)


def test_seeds_that_agree_add_nothing():
    ours, theirs = RANDOM.normal(size=(2, 1, 9))
    found = difference(means(np.repeat(ours, 3, axis=0)), means(np.repeat(theirs, 3, axis=0)))
    assert found.p_value == pytest.approx(stats.ttest_rel(ours[0], theirs[0]).pvalue)


def test_documents_that_agree_leave_the_seeds():
    """Every document says the same of a seed, so that the seeds are a sample of three."""
    each = np.array([0.1, 0.3, 0.2])
    found = difference(means(np.repeat(each[:, None], 50, axis=1)), means(np.zeros((3, 50))))
    expected = stats.ttest_1samp(each, 0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval.high == pytest.approx(expected.confidence_interval().high)
    assert found.by_seed == pytest.approx(each)


def test_the_variance_is_that_of_a_two_way_layout():
    """(MS_seeds + MS_documents − MS_rest) / (S N), of mean squares written out, and Cochran's quantile."""
    x = rates(RANDOM, (1, 3, 8), between_seeds=0.5, between_documents=1, rest=0.5)[0]
    by_seed, by_document = x.mean(axis=1), x.mean(axis=0)
    seeds = 8 * sum((by_seed - x.mean()) ** 2) / 2
    documents = 3 * sum((by_document - x.mean()) ** 2) / 7
    rest = ((x - by_seed[:, None] - by_document + x.mean()) ** 2).sum() / 14
    assert documents > rest
    variance = (seeds + documents - rest) / 24
    quantile = (seeds * stats.t(2).isf(0.025) + (documents - rest) * stats.t(7).isf(0.025)) / (24 * variance)
    found = difference(means(x), means(np.zeros((3, 8))))
    assert found.interval.high - found.estimate == pytest.approx(quantile * np.sqrt(variance))


def test_pseudo_values_of_f1_one_document_at_a_time():
    ours, theirs = entities(RANDOM, (2, 3, 5), between_seeds=0.1, between_documents=0.1, rest=0.1)
    expected = np.empty((3, 5))
    for seed in range(3):
        whole = f1(ours[seed].sum(axis=0)) - f1(theirs[seed].sum(axis=0))
        for n in range(5):
            without = [np.delete(one[seed], n, axis=0).sum(axis=0) for one in (ours, theirs)]
            expected[seed, n] = 5 * whole - 4 * (f1(without[0]) - f1(without[1]))
    assert pseudo_values(CountScores(ours, f1), CountScores(theirs, f1)) == pytest.approx(expected)


def test_many_documents_go_in_blocks(monkeypatch):
    ours, theirs = (
        one.scored for one in contenders(entities(RANDOM, (2, 2, 23), between_seeds=0, between_documents=0.1, rest=0))
    )
    whole = difference(ours, theirs)
    monkeypatch.setattr("ctxlab.comparison.difference.BLOCK_CELLS", 100)
    assert difference(ours, theirs).interval == whole.interval


def test_seeds_that_report_other_documents():
    """Three seeds of three documents each that none shares: three independent figures."""
    reported = np.repeat(np.eye(3, dtype=bool), 3, axis=1)
    x = RANDOM.normal(size=(3, 9))
    ours, theirs = (
        CountScores(np.stack([values, np.ones((3, 9))], axis=-1), ratio, reported) for values in (x, np.zeros((3, 9)))
    )
    each = [x[seed, 3 * seed : 3 * seed + 3].mean() for seed in range(3)]
    found = difference(ours, theirs)
    assert found.by_seed == pytest.approx(each)
    assert found.p_value == pytest.approx(stats.ttest_1samp(each, 0).pvalue)
    assert found.num_documents == 9


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_one_document_has_no_interval(num_seeds):
    found = difference(means(np.ones((num_seeds, 1))), means(np.zeros((num_seeds, 1))))
    assert (found.estimate, found.interval, found.p_value) == (1, NO_INTERVAL, 1)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="shape"):
        CountScores(np.ones((3, 4)), ratio)
    with pytest.raises(ValueError, match="finite"):
        CountScores(np.full((1, 2, 2), np.nan), ratio)
    with pytest.raises(ValueError, match="a document for every seed"):
        CountScores(np.ones((2, 2, 2)), ratio, np.array([[True, True], [False, False]]))
    with pytest.raises(ValueError, match="not defined"):
        difference(means(np.ones((1, 3))), CountScores(np.ones((1, 3, 1)), lambda sums: sums[..., 0] * np.nan))


SPREADS = [
    (0.0, 0.1, 0.1),
    (0.03, 0.1, 0.1),
    (0.1, 0.1, 0.1),
    (0.1, 0.0, 0.1),
]
"""Of seeds, documents, and both: from seeds that do not matter to seeds that decide."""


def coverage(num_seeds, num_documents, spread, replicates):
    names = ("between_seeds", "between_documents", "rest")
    generator, contained = np.random.default_rng(num_documents), 0
    for _ in range(replicates):
        counts = entities(generator, (2, num_seeds, num_documents), **dict(zip(names, spread, strict=True)))
        ours, theirs = (one.scored for one in contenders(counts))
        interval = difference(ours, theirs).interval
        contained += interval.low <= 0 <= interval.high
    return contained / replicates


@pytest.mark.by_default(2)
@pytest.mark.parametrize("num_documents", [10, 50])
@pytest.mark.parametrize("spread", SPREADS)
def test_intervals_of_three_seeds_contain_the_true_difference_as_often_as_they_say(num_documents, spread):
    assert 0.935 <= coverage(3, num_documents, spread, 1000) <= 0.985


def test_intervals_of_one_seed_are_about_two_models():
    """Documents alone: right where seeds do not matter, and far too narrow for strategies where they do."""
    assert 0.93 <= coverage(1, 10, (0.0, 0.1, 0.1), 600) <= 0.97
    assert coverage(1, 50, (0.1, 0.1, 0.1), 300) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("num_documents", [5, 10, 20, 100, 300])
@pytest.mark.parametrize("spread", SPREADS)
def test_coverage_over_many_replicates(num_documents, spread):
    assert 0.94 <= coverage(3, num_documents, spread, 4000) <= 0.985
