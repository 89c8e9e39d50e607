"""Extrapolation of costs that are sums of non-negative multiples of the terms of a shape.

Shape legend: P measured points, T terms, M measured quantities.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

GAIN = 1e-16
"""Relative decrease of the squared error that justifies one more term: small, as some terms grow with the square."""

ROUNDING = 1e-9
"""Fraction of the largest coefficient below which a negative one is rounding."""


def fit(points: Matrix, values: Matrix, terms: Sequence[int]) -> Matrix:
    """Return non-negative coefficients (T, M) that explain ``values`` (P, M) by as few terms as possible.

    Every subset of terms is tried, smaller ones first; a larger one is preferred only where its error is lower. Costs
    cannot fall where a shape grows, and with a negative coefficient an extrapolation could.

    Args:
        points: (P, T) terms of the shapes that were measured.
        values: (P, M) measured quantities, each fitted for itself.
        terms: Indices of the terms that may be used, preferred ones first.
    """
    num_terms, num_values = points.shape[1], values.shape[1]
    best = np.zeros((num_terms, num_values))
    error = (values**2).sum(axis=0)
    for size in range(1, min(len(terms), len(points)) + 1):
        for chosen in map(list, combinations(terms, size)):
            scale = np.abs(points[:, chosen]).max(axis=0)
            if not scale.all():
                continue
            found = np.linalg.lstsq(points[:, chosen] / scale, values, rcond=None)[0]
            found[np.abs(found) <= ROUNDING * np.abs(found).max(axis=0)] = 0.0
            left = ((values - points[:, chosen] / scale @ found) ** 2).sum(axis=0)
            better = (found >= 0).all(axis=0) & (left < error - GAIN * (values**2).sum(axis=0))
            whole = np.zeros((num_terms, num_values))
            whole[chosen] = found / scale[:, None]
            best[:, better], error[better] = whole[:, better], left[better]
    return best
