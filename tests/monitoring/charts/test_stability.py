"""The stability index by hand, and its limit against a chi-squared distribution."""

import math

import numpy as np
import pytest
from scipy.stats import chi2

from ctxlab.monitoring.charts.stability import limit_for, stability
from ctxlab.monitoring.charts.usual import counts, edges


def test_the_index_of_two_samples_by_hand():
    p, q = (3.5 / 11, 7.5 / 11), (5.5 / 11, 5.5 / 11)
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert stability(np.array([3.0, 7.0]), np.array([5.0, 5.0])) == pytest.approx(expected)
    assert stability(np.array([3.0, 7.0]), np.array([3.0, 7.0])) == 0


def test_the_limit_is_that_of_many_documents_in_theory():
    """For many documents the index over (1/n + 1/m) is chi-squared with one degree of freedom less than bins."""
    found = limit_for((2000.0,) * 5, 2000, 0.01)
    assert found / (1 / 10_000 + 1 / 2000) == pytest.approx(chi2.isf(0.01, 4), rel=0.03)


def test_bins_hold_equal_parts_and_every_value():
    values = list(range(100))
    found = counts(values, edges(values, 5))
    assert found.tolist() == [20] * 5
    assert counts([-5, 1000], edges(values, 5)).tolist() == [1, 0, 0, 0, 1]
    assert len(edges([1.0] * 50, 5)) == 1
