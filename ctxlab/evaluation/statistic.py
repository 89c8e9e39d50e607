"""What a sufficient statistic owes the rest: figures of any weighting of the units that it was taken of.

Shape legend: N units (documents, questions, rankings), K numbers of one unit, R weightings.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.types import BoolArray
from ctxlab.evaluation.statistics import Counts

Values = Mapping[str, Any]
"""Plain values of one unit, as a line of ``scores/<split>.jsonl`` has them."""

Figures = Mapping[str, Counts]
"""(R,) values of each figure by name; NaN where a weighting leaves it undefined."""


class Statistic(ABC):
    """One file under ``ctxlab/evaluation/sufficient`` a statistic, whose instance there is called ``STATISTIC``."""

    @abstractmethod
    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Figures of every weighting.

        Args:
            values: Of N units, at least one.
            weights: (R, N) how often each unit counts; None is one weighting, in which each counts once.
        """


class Sums(Statistic):
    """A statistic whose figures follow from sums over units."""

    columns: tuple[str, ...] = ()
    """Keys of a unit's values; each is a number, or a list that is as long for every unit."""

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Figures of the weighted sums."""
        table = self.table(values)
        return self.of(self.total(table)[None] if weights is None else weights @ table)

    def table(self, values: Sequence[Values]) -> Counts:
        """(N, K) numbers in the order of ``columns``."""
        return np.asarray([np.hstack([one[name] for name in self.columns]) for one in values], np.float64)

    def total(self, table: Counts) -> Counts:
        """(K,) sums over all units, (N, K)."""
        sums: Counts = table.sum(axis=0)
        return sums

    @abstractmethod
    def of(self, sums: Counts) -> Figures:
        """Figures of (R, K) sums."""


class Means(Sums):
    """A statistic whose figures are means of one number a unit and figure."""

    @property
    def names(self) -> Sequence[str]:
        """Of the figures."""
        return self.columns

    def scores(self, one: Values) -> Sequence[float]:
        """(K,) what one unit scores in each figure."""
        return [one[name] for name in self.names]

    def table(self, values: Sequence[Values]) -> Counts:
        """(N, K + 1) the scores, and 1."""
        return np.asarray([(*self.scores(one), 1.0) for one in values], np.float64)

    def total(self, table: Counts) -> Counts:
        """(K + 1,) sums, each rounded as ``numpy.mean`` of its column rounds."""
        sums: Counts = np.ascontiguousarray(table.T).sum(axis=1)
        return sums

    def among(self, units: Sequence[int], values: Sequence[Values], weights: Counts | None) -> Figures:
        """Means over some ``units`` only."""
        chosen = None if weights is None else weights[:, list(units)]
        return Means.figures(self, [values[i] for i in units], chosen)

    def of(self, sums: Counts) -> Figures:
        """The means; NaN where no unit counts."""
        num = sums[..., -1]
        return {
            name: np.divide(sums[..., i], num, out=np.full(num.shape, np.nan), where=num > 0)
            for i, name in enumerate(self.names)
        }


def where(known: BoolArray, figure: Counts) -> Counts:
    """``figure`` (R,) where it is known, else NaN."""
    return np.where(known, figure, np.nan)
