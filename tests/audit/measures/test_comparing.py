"""Differences of figures: on the same documents, on different ones, of values."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from ctxlab.audit.measures.comparing import Sides, apart, each_record, paired_values
from ctxlab.core.types import ScoredRecord

SIDES = Sides("one against other", "accuracy")


def scores(hits, first=0):
    """Documents with the right label where ``hits``."""
    return [
        ScoredRecord(f"{n}", f"{n}", {"single_label": {"gold": ["y"], "predicted": ["y" if hit else "n"], "read": True,
                                                      "probabilities": {"n": 1.0 - hit, "y": float(hit)}}})
        for n, hit in enumerate(hits, first)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def hits():
    draw = np.random.default_rng(3)
    return draw.random(40) < 0.9, draw.random(60) < 0.6


def test_a_difference_of_other_documents_is_that_of_the_means_with_welchs_standard_error(hits):
    one, other = hits
    found = apart(SIDES, scores(one), scores(other, 100), seed=0)
    assert (found.first, found.second) == (pytest.approx(one.mean()), pytest.approx(other.mean()))
    error = np.sqrt(one.var(ddof=1) / 40 + other.var(ddof=1) / 60)
    welch = ttest_ind(one, other, equal_var=False)
    assert abs(found.difference) / error == pytest.approx(abs(welch.statistic))
    assert (found.high - found.low) / 2 / error == pytest.approx(2.0, abs=0.05)  # t of 39 to 59 degrees of freedom
    assert found.p_value < 0.01
    assert found.num_documents == 100


def test_other_documents_of_the_same_quality_have_a_uniform_p():
    """Permutations alone are exact; the larger of two p-values is no smaller."""
    draw = np.random.default_rng(0)
    found = [
        apart(SIDES, scores(draw.random(15) < 0.9), scores(draw.random(30) < 0.9), seed).p_value for seed in range(40)
    ]
    assert np.mean(np.asarray(found) <= 0.05) <= 0.15  # 6 of 40: one chance in seventy at 5 %
    assert np.median(found) > 0.2


def test_paired_values_are_those_of_the_paired_t_test_or_more():
    draw = np.random.default_rng(1)
    one, other = draw.integers(0, 2, 50), draw.integers(0, 2, 50)
    found = paired_values(SIDES, one, other, seed=0)
    assert found.difference == pytest.approx((one - other).mean())
    oracle = ttest_1samp(one - other, 0)
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval()))
    assert found.p_value >= oracle.pvalue - 1e-9


def test_three_changes_of_a_hundred_are_not_enough_although_no_other_answer_changed():
    found = paired_values(SIDES, [1.0] * 3 + [0.0] * 97, [0.0] * 100, seed=0)
    assert found.p_value == pytest.approx(0.25)  # 2 of the 2³ swaps: the exact test of McNemar
    assert paired_values(SIDES, [0.0] * 20, [0.0] * 20, seed=0).p_value == 1.0


def test_each_record_alone_has_its_own_figure(hits):
    one, _ = hits
    assert list(each_record(scores(one), "accuracy").values()) == [
        float(one[int(name)]) for name in sorted(map(str, range(40)))
    ]
