"""Numbers of documents: mean squared error, Pearson's and Spearman's correlation, quadratically weighted kappa.

The values of a unit are ``gold`` and ``predicted``. Shape legend: N units, R weightings.
"""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import DoubleArray
from ctxlab.evaluation.statistic import Figures, Statistic, Values, where
from ctxlab.evaluation.statistics import Counts


class Regression(Statistic):
    """Figures of pairs of numbers.

    - **Pearson**'s correlation is that of the numbers, **Spearman**'s that of their ranks, equal ones sharing the mean
      of theirs; both are undefined where all golds or all predictions are equal.
    - **Quadratic kappa** (Cohen 1968, doi:10.1037/h0026256) compares grades: predictions are rounded to the nearest
      whole number, and it is computed where every gold number is whole. It is 1 minus the mean squared difference
      over that of independent draws from both distributions.
    """

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Compute the figures of every weighting."""
        gold, predicted = (np.asarray([one[name] for one in values], np.float64) for name in ("gold", "predicted"))
        counts = np.ones((1, len(gold))) if weights is None else np.asarray(weights, np.float64)
        found = {
            "mse": _mean(counts, (gold - predicted) ** 2),
            "pearson": _correlation(
                counts, np.broadcast_to(gold, counts.shape), np.broadcast_to(predicted, counts.shape)
            ),
            "spearman": _correlation(counts, _ranks(counts, gold), _ranks(counts, predicted)),
        }
        if (gold == np.rint(gold)).all():
            found["quadratic_kappa"] = _kappa(counts, gold, np.rint(predicted))
        return found


def _mean(counts: Counts, values: DoubleArray) -> Counts:
    """Return (R,) means of values (N,) or (R, N); NaN where nothing counts."""
    sums: Counts = (counts * values).sum(axis=1)
    total: Counts = counts.sum(axis=1)
    found: Counts = np.divide(sums, total, out=np.full(len(sums), np.nan), where=total > 0)
    return found


def _correlation(counts: Counts, one: DoubleArray, other: DoubleArray) -> Counts:
    """Return (R,) correlations of (R, N) numbers; NaN where one side does not vary."""
    near, far = (numbers - _mean(counts, numbers)[:, None] for numbers in (one, other))
    spread = _mean(counts, near**2) * _mean(counts, far**2)
    # Equal numbers differ from their mean by rounding.
    varies = (_mean(counts, near**2) > 1e-24 * _mean(counts, one**2)) & (
        _mean(counts, far**2) > 1e-24 * _mean(counts, other**2)
    )
    return where(varies, _mean(counts, near * far) / np.sqrt(np.where(varies, spread, 1.0)))


def _ranks(counts: Counts, values: DoubleArray) -> DoubleArray:
    """Return (R, N) ranks of values (N,) where each occurs as often as it counts; equal ones share the mean rank."""
    _, places = np.unique(values, return_inverse=True)
    of_value = np.zeros((len(counts), places.max() + 1))
    np.add.at(of_value.T, places, counts.T)  # (R, different values)
    ranks = of_value.cumsum(axis=1) - of_value / 2 + 0.5
    found: DoubleArray = ranks[:, places]
    return found


def _kappa(counts: Counts, gold: DoubleArray, graded: DoubleArray) -> Counts:
    """Return (R,) kappas; NaN where both sides always give the same single grade."""
    seen = _mean(counts, (gold - graded) ** 2)
    means = _mean(counts, gold), _mean(counts, graded)
    spread = _mean(counts, gold**2) - means[0] ** 2 + _mean(counts, graded**2) - means[1] ** 2
    expected = spread + (means[0] - means[1]) ** 2
    return where(expected > 1e-12, 1 - seen / np.where(expected > 1e-12, expected, 1.0))


STATISTIC = Regression()
