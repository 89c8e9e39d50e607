import numpy as np
import pytest
from scipy import stats

from ctxlab.comparison.student import Part, WeightedStudent


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 18, 99, 5000])
def test_one_part_is_students_t(degrees):
    student = WeightedStudent([Part(4.0, degrees)])
    assert student.standard_error == 2
    for tail in (0.5, 0.2, 0.025, 1e-9):
        assert student.quantile(tail) == pytest.approx(stats.t(degrees).isf(tail), rel=1e-9, abs=1e-9)
    for estimate in (-0.1, 0.5, 4.6, 40.0):
        expected = 2 * stats.t(degrees).sf(abs(estimate) / 2)
        assert student.p_value(estimate) == pytest.approx(expected, rel=1e-6, abs=1e-49)


def test_parts_are_weighted_by_their_variance():
    student = WeightedStudent([Part(3.0, 2), Part(1.0, 30)])
    assert student.quantile(0.025) == pytest.approx(0.75 * stats.t(2).isf(0.025) + 0.25 * stats.t(30).isf(0.025))
    assert student.p_value(2 * student.quantile(0.025)) == pytest.approx(0.05)


@pytest.mark.parametrize("variance", [0.0, 1e-30])
def test_certain_differences(variance):
    student = WeightedStudent([Part(variance, 2), Part(0.0, 9)])
    assert student.p_value(0.0) == 1
    assert student.p_value(0.1) < 1e-20
    assert np.isfinite(student.quantile(0.025))
