"""The verdict on a difference, and the smallest detectable difference."""

from enum import StrEnum

from ctxlab.comparison.difference import Difference
from ctxlab.comparison.student import WeightedStudent
from ctxlab.evaluation.statistics import Interval


class Verdict(StrEnum):
    """Verdict on a candidate compared with the baseline."""

    BETTER = "better"
    WORSE = "worse"
    TIE = "tie"
    UNDECIDED = "undecided"


def verdict(
    found: Difference, adjusted_p: float, *, margin: float, lower_is_better: bool = False, level: float = 0.05
) -> Verdict:
    """Return the verdict on one difference.

    A tie is a positive statement: the whole interval is within the margin. Otherwise a significant difference decides,
    and all other cases are undecided.

    Args:
        found: Candidate minus baseline.
        adjusted_p: Its p-value, adjusted for the number of candidates.
        margin: Differences up to this size do not matter, in units of the figure.
        lower_is_better: Whether a lower figure is better.
        level: Family-wise error rate.
    """
    if within(found.interval, margin):
        return Verdict.TIE
    if adjusted_p > level or not found.estimate:
        return Verdict.UNDECIDED
    return Verdict.BETTER if (found.estimate < 0) == lower_is_better else Verdict.WORSE


def within(interval: Interval, margin: float) -> bool:
    """Return whether the whole interval is between −margin and margin."""
    return interval.low is not None and interval.high is not None and max(-interval.low, interval.high) <= margin


def detectable(student: WeightedStudent | None, level: float, power: float = 0.8) -> float | None:
    """Return the smallest true difference that is detected with probability ``power``; None without an interval.

    It is (t at ``level`` / 2 + t at 1 − ``power``) standard errors, the usual approximation of the non-central t test
    (Lachin 1981, Introduction to Sample Size Determination and Power Analysis for Clinical Trials, Controlled Clinical
    Trials 2, 93–113), with the standard error of these documents and seeds.

    Args:
        student: Distribution of the difference.
        level: Two-sided level of the first step of Holm's procedure: the total level over the number of candidates.
        power: Probability to detect it.
    """
    if student is None:
        return None
    return (student.quantile(level / 2) + student.quantile(1 - power)) * student.standard_error
