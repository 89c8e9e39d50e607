"""The difference between two candidates on the same documents, with an interval over documents and seeds.

Shape legend: S seeds, N documents.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ctxlab.comparison.scored import Scored
from ctxlab.comparison.student import Part, WeightedStudent
from ctxlab.core.types import BoolArray
from ctxlab.evaluation.statistics import NO_INTERVAL, Counts, Interval

BLOCK_CELLS = 2**22
"""Largest number of weights in memory at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus baseline."""

    estimate: float
    """Mean over seeds, in units of the figure."""
    by_seed: tuple[float, ...]
    interval: Interval
    """No bounds with fewer than two documents, or if the figure is undefined without one of them."""
    student: WeightedStudent | None
    """Distribution of the interval and ``p_value``; None if there is no interval."""
    num_documents: int

    @property
    def num_seeds(self) -> int:
        """Number of seeds; with one, the difference is that of two trained models, not of two strategies."""
        return len(self.by_seed)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the t test of no difference; 1 if there is no interval."""
        return 1.0 if self.student is None else self.student.p_value(self.estimate)


def difference(candidate: Scored, baseline: Scored, confidence: float = 0.95) -> Difference:
    """Return the mean difference over seeds, with a t interval for new documents *and* new seeds.

    With d_s the difference under seed s, the variance of their mean is the variance between the d_s, divided by S, plus
    the mean covariance of two of them, which comes from the documents that both report. For documents that every seed
    reports this is (MS_seeds + MS_documents − MS_rest) / (S N), the estimate of a two-way layout with random effects
    (Searle, Casella and McCulloch 1992, Variance Components, section 4.5). Documents enter with their jackknife
    pseudo-values (Efron and Tibshirani 1993, chapter 11), so that any figure can be used; those of a mean are the
    values themselves, and with one seed the interval is that of the paired t test. Quantiles are
    ``WeightedStudent``'s, with S − 1 degrees of freedom for the seeds and N − 1 for the documents.

    With three seeds such intervals contain the true difference in 0.945 to 0.976 of cases over 5 to 300 documents and
    seeds of no or of large influence; Satterthwaite's degrees of freedom give 0.921 to 0.998 there.

    Args:
        candidate: Scores of the candidate.
        baseline: Scores of the baseline on the same documents and seeds.
        confidence: Fraction of such intervals that contain the true difference.
    """
    each = candidate.each_seed() - baseline.each_seed()
    if not np.isfinite(each).all():
        raise ValueError("the figure is not defined on these documents")
    student = None
    if candidate.reported.sum(axis=1).min() > 1:
        student = _student(pseudo_values(candidate, baseline), each, candidate.reported)
    estimate, interval = float(each.mean()), NO_INTERVAL
    if student is not None:
        reach = student.quantile((1 - confidence) / 2) * student.standard_error
        interval = Interval(estimate - reach, estimate + reach)
    num_documents = int(candidate.reported.any(axis=0).sum())
    return Difference(estimate, tuple(each.tolist()), interval=interval, student=student, num_documents=num_documents)


def pseudo_values(candidate: Scored, baseline: Scored) -> Counts:
    """Return (S, N) jackknife pseudo-values of the difference: m d − (m − 1) d₋ₙ, with d₋ₙ over all but document n.

    Here m is the number of documents, at least two. Values of documents that are not reported are meaningless, and
    those with an undefined d₋ₙ are not finite.
    """
    num, everything = candidate.num_documents, candidate.each_seed() - baseline.each_seed()
    block, without = max(1, BLOCK_CELLS // num), []
    for start in range(0, num, block):
        weights = 1 - np.eye(num)[start : start + block]
        without.append(candidate.figures(weights) - baseline.figures(weights))
    counted = candidate.reported.sum(axis=1)[:, None]
    values: Counts = counted * everything[:, None] - (counted - 1) * np.concatenate(without).T
    return values


def _student(values: Counts, each: Counts, reported: BoolArray) -> WeightedStudent | None:
    """Return the variance components of the mean of ``each`` (S,); None if a pseudo-value (S, N) is undefined."""
    if not np.isfinite(values[reported]).all():
        return None
    if len(each) == 1:
        num = int(reported.sum())
        return WeightedStudent([Part(float(values[reported].var(ddof=1) / num), num - 1)])
    parts = [Part(float(each.var(ddof=1) / len(each)), len(each) - 1)]
    num_shared = int((reported.sum(axis=0) > 1).sum())
    if num_shared > 1:
        pairs = combinations(range(len(each)), 2)
        covariance = np.mean([_covariance(values[list(pair)], reported[list(pair)]) for pair in pairs])
        parts.append(Part(max(float(covariance), 0.0), num_shared - 1))
    return WeightedStudent(parts)


def _covariance(values: Counts, reported: BoolArray) -> float:
    """Return the covariance of the means of two seeds, of values (2, N), over the documents that both report."""
    both = reported.all(axis=0)
    if both.sum() < 2:
        return 0.0
    return float(np.cov(values[:, both])[0, 1] * both.sum() / reported.sum(axis=1).prod())
