import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ctxlab.comparison import permutation as module
from ctxlab.comparison.permutation import permutation, smallest_p
from ctxlab.comparison.scored import CountScores
from ctxlab.evaluation.statistics import f1
from tests.comparison.simulated import contenders, entities, means


def counted(num_documents, num_seeds=1, seed=0, shift=0):
    """Two candidates of which the first has ``shift`` more right ones of each document."""
    spread = {"between_seeds": 0.02, "between_documents": 0.1, "rest": 0.1}
    counts = entities(np.random.default_rng(seed), (2, num_seeds, num_documents), **spread)
    counts[0, ..., 0] = np.minimum(counts[0, ..., 0] + shift, counts[0, ..., 1:].min(axis=-1))
    return counts


@pytest.mark.parametrize("num_seeds", [1, 3])
@pytest.mark.parametrize(("seed", "shift"), [(0, 0), (1, 1), (2, 3)])
def test_all_swaps_are_those_of_scipy(num_seeds, seed, shift):
    """scipy swaps whole documents of (n, seeds, 3) counts, too, when it is told that axis 0 is paired."""
    ours, theirs = counted(8, num_seeds, seed, shift)

    def mean_difference(x, y, axis):
        return (f1(x.sum(axis=axis)) - f1(y.sum(axis=axis))).mean(axis=-1)

    expected = stats.permutation_test(
        (ours.swapaxes(0, 1), theirs.swapaxes(0, 1)),
        mean_difference,
        permutation_type="samples",
        axis=0,
        n_resamples=np.inf,
        alternative="two-sided",
    )
    found = permutation(CountScores(ours, f1), CountScores(theirs, f1))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.num_swaps, found.is_exact) == (2**8, True)


def test_five_documents_that_agree_have_two_swaps_of_32_that_are_as_extreme():
    found = permutation(means([[0.5, 0.6, 0.7, 0.8, 0.9]]), means([[0.4] * 5]))
    assert found.p_value == found.smallest_p == 2 / 32


def test_equal_differences_are_equal_in_spite_of_rounding():
    """Differences of 0.1, 0.2 and 0.3 are at least as far from 0 as −0.1 + 0.2 + 0.3 in 4 of 8 swaps."""
    found = permutation(means([[1000.1, 1000.3, 1000.6]]), means([[1000.2, 1000.1, 1000.3]]))
    assert found.p_value == 4 / 8


def test_documents_without_a_difference_are_no_evidence():
    ours, theirs = counted(8, shift=2)
    same = np.repeat(ours[:, :1], 20, axis=1)
    padded = [CountScores(np.concatenate([one, same], axis=1), f1) for one in (ours, theirs)]
    found = permutation(*padded)
    assert (found.num_documents, found.is_exact, found.smallest_p) == (8, True, 2 / 2**8)
    nothing = permutation(padded[0], padded[0])
    assert (nothing.p_value, nothing.num_documents, nothing.smallest_p) == (1, 0, 1)


def test_random_swaps_come_near_all_swaps(monkeypatch):
    ours, theirs = (CountScores(one, f1) for one in counted(12, 3, shift=1))
    exact = permutation(ours, theirs)
    monkeypatch.setattr(module, "EXACT_DOCUMENTS", 11)
    monkeypatch.setattr(module, "BLOCK_CELLS", 12 * 1000)
    random = permutation(ours, theirs, seed=1)
    assert (exact.is_exact, random.is_exact, random.num_swaps) == (True, False, 10_000)
    assert 0.02 < exact.p_value < 0.6
    assert random.p_value == pytest.approx(exact.p_value, abs=4 * np.sqrt(exact.p_value / 10_000))
    assert permutation(ours, theirs, seed=1) == random
    assert permutation(ours, theirs, seed=2) != random


def test_random_swaps_count_the_observed_one():
    found = permutation(means(np.ones((1, 60))), means(np.zeros((1, 60))), draws=99)
    assert found.p_value == found.smallest_p == 1 / 100


def test_a_figure_that_swaps_leave_undefined_is_not_significant():
    def figure(sums):
        return np.where(sums[..., 1] == 6, sums[..., 0], np.nan)

    ours, theirs = (np.stack([np.full(6, x), np.full(6, y)], axis=-1)[None] for x, y in ((1.0, 1.0), (0.0, 1.0)))
    assert permutation(CountScores(ours, figure), CountScores(theirs, figure)).p_value == 2 / 64
    theirs[0, :, 1] = [2, 1, 1, 1, 1, 0]
    assert permutation(CountScores(ours, figure), CountScores(theirs, figure)).p_value > 0.4


@pytest.mark.parametrize(
    ("num", "smallest"), [(0, 1), (1, 1), (2, 0.5), (5, 1 / 16), (12, 2**-11), (13, 2**-12), (40, 1 / 10_001)]
)
def test_the_smallest_p(num, smallest):
    assert smallest_p(num) == pytest.approx(smallest)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(0, 10_000))
def test_the_test_does_not_know_which_is_which(num_documents, seed):
    ours, theirs = (one.scored for one in contenders(counted(num_documents, 2, seed)))
    found = permutation(ours, theirs)
    assert found == permutation(theirs, ours)
    assert found.smallest_p <= found.p_value <= 1
