import numpy as np
import pytest
from scipy import stats

from ctxlab.comparison.difference import Difference
from ctxlab.comparison.student import Part, WeightedStudent
from ctxlab.comparison.verdict import Verdict, detectable, verdict
from ctxlab.evaluation.statistics import NO_INTERVAL, Interval


def found(low, high):
    if low is None:
        return Difference(0.5, (0.5,), NO_INTERVAL, None, 1)
    return Difference((low + high) / 2, (0.0,), Interval(low, high), None, 9)


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (0.02, 0.04, 0.01, Verdict.BETTER),
        (-0.04, -0.02, 0.01, Verdict.WORSE),
        (0.005, 0.04, 0.01, Verdict.BETTER),  # reaches into the margin, but is no tie
        (0.02, 0.04, 0.06, Verdict.UNDECIDED),  # not after Holm's adjustment
        (-0.009, 0.008, 0.9, Verdict.TIE),
        (-0.01, 0.01, 0.9, Verdict.TIE),
        (0.002, 0.009, 0.001, Verdict.TIE),  # not 0, but of no account
        (-0.011, 0.0, 0.06, Verdict.UNDECIDED),
        (-0.3, 0.3, 1.0, Verdict.UNDECIDED),
        (None, None, 0.001, Verdict.BETTER),
        (None, None, 1.0, Verdict.UNDECIDED),
    ],
)
def test_verdicts(low, high, p, expected):
    assert verdict(found(low, high), p, margin=0.01) is expected


def test_lower_may_be_better():
    assert verdict(found(0.02, 0.04), 0.01, margin=0.01, lower_is_better=True) is Verdict.WORSE
    assert verdict(found(-0.04, -0.02), 0.01, margin=0.01, lower_is_better=True) is Verdict.BETTER
    assert verdict(found(-0.5, 0.5), 0.01, margin=0.01, lower_is_better=True) is Verdict.UNDECIDED


@pytest.mark.parametrize("degrees", [5, 9, 19, 99])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_what_would_have_been_found(degrees, level):
    """The power of the t test at that difference, from the non-central t distribution."""
    student = WeightedStudent([Part(0.25, degrees)])
    size = detectable(student, level) / 0.5
    power = stats.nct(degrees, size).sf(stats.t(degrees).isf(level / 2))
    assert power == pytest.approx(0.8, abs=0.02 if degrees > 5 else 0.05)
    assert detectable(student, level, 0.95) > detectable(student, level)
    assert detectable(WeightedStudent([Part(1.0, degrees)]), level) == pytest.approx(2 * 0.5 * size)


def test_nothing_is_detectable_without_an_interval():
    assert detectable(None, 0.05) is None
    assert np.isclose(detectable(WeightedStudent([Part(0.0, 4)]), 0.05), 0)
