"""The protocol of sufficient statistics: they give the figures of any weighting of their units.

Shape legend: N units (documents, questions, rankings), K numbers of one unit, R weightings.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.types import BoolArray
from ctxlab.evaluation.statistics import Counts

Values = Mapping[str, Any]
"""Plain values of one unit, as in a line of ``scores/<split>.jsonl``."""

Figures = Mapping[str, Counts]
"""(R,) values of each figure by name; NaN where a weighting leaves it undefined."""


class Statistic(ABC):
    """A sufficient statistic; each has a file under ``ctxlab/evaluation/sufficient`` with an instance ``STATISTIC``."""

    @abstractmethod
    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Compute the figures of every weighting.

        Args:
            values: Values of N units, at least one.
            weights: (R, N) how often each unit counts; None is one weighting, in which each counts once.
        """


class Sums(Statistic):
    """A statistic whose figures are functions of sums over units."""

    columns: tuple[str, ...] = ()
    """Keys of a unit's values; each is a number, or a list of the same length for every unit."""

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Compute the figures of the weighted sums."""
        table = self.table(values)
        return self.of(self.total(table)[None] if weights is None else weights @ table)

    def table(self, values: Sequence[Values]) -> Counts:
        """Return (N, K) numbers in the order of ``columns``."""
        return np.asarray([np.hstack([one[name] for name in self.columns]) for one in values], np.float64)

    def total(self, table: Counts) -> Counts:
        """Return (K,) sums over all units, (N, K)."""
        sums: Counts = table.sum(axis=0)
        return sums

    @abstractmethod
    def of(self, sums: Counts) -> Figures:
        """Compute the figures of (R, K) sums."""


class Means(Sums):
    """A statistic whose figures are means over units of one number per figure."""

    @property
    def names(self) -> Sequence[str]:
        """Return the names of the figures."""
        return self.columns

    def scores(self, one: Values) -> Sequence[float]:
        """Return (K,) value of one unit in each figure."""
        return [one[name] for name in self.names]

    def table(self, values: Sequence[Values]) -> Counts:
        """Return (N, K + 1) the scores, and 1."""
        return np.asarray([(*self.scores(one), 1.0) for one in values], np.float64)

    def total(self, table: Counts) -> Counts:
        """Return (K + 1,) sums, with the rounding of ``numpy.mean`` of each column."""
        sums: Counts = np.ascontiguousarray(table.T).sum(axis=1)
        return sums

    def among(self, units: Sequence[int], values: Sequence[Values], weights: Counts | None) -> Figures:
        """Compute means over some ``units`` only."""
        chosen = None if weights is None else weights[:, list(units)]
        return Means.figures(self, [values[i] for i in units], chosen)

    def of(self, sums: Counts) -> Figures:
        """Compute the means; NaN where no unit counts."""
        num = sums[..., -1]
        return {
            name: np.divide(sums[..., i], num, out=np.full(num.shape, np.nan), where=num > 0)
            for i, name in enumerate(self.names)
        }


def where(known: BoolArray, figure: Counts) -> Counts:
    """Return ``figure`` (R,) where ``known``, else NaN."""
    return np.where(known, figure, np.nan)
