"""Tables that say where quality is lost: a row for each bin, with a figure and its interval.

Shape legend: N documents or cases, K counts of each.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ctxlab.core.types import BARS, Table
from ctxlab.evaluation.bins import Size, Tenth
from ctxlab.evaluation.statistics import Counts, Interval, bootstrap, bootstrap_mean

Kept = TypeVar("Kept")

Figure = Callable[[Counts], Counts]
"""Summed counts (R, K) to figures (R,)."""


Range = TypeVar("Range", Size, Tenth)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval, for three cells of a row."""

    value: float
    low: float | None
    high: float | None

    @property
    def cells(self) -> tuple[float, float | None, float | None]:
        """Value, low and high."""
        return self.value, self.low, self.high


@dataclass(frozen=True)
class Breakdown(Generic[Kept]):
    """The breakdowns of one metric: they share their columns, how a row is made, and what is said of intervals."""

    columns: Sequence[str]
    """After the first one, which names the bins."""
    row: Callable[[Kept], Sequence[Any] | None]
    """Cells under ``columns`` of what a bin keeps; None where a bin has nothing to show and is left out."""
    note: str

    def table(
        self,
        name: str,
        title: str,
        first: str,
        bins: Iterable[tuple[str, Kept]],
        *,
        chance: float | None = None,
        drawn: str = BARS,
    ) -> Table:
        """A row a bin.

        Args:
            name: Of the table in ``result.json``.
            title: For people.
            first: Head of the first column.
            bins: What each row is called, and what its bin keeps: cases, say, or a range that they lie in.
            chance: See ``Table.chance``.
            drawn: As what the report draws it, see ``Table``.
        """
        rows = [(label, *cells) for label, kept in bins if (cells := self.row(kept)) is not None]
        return Table(name, title, (first, *self.columns), rows, self.note, chance=chance, drawn=drawn)

    def known(
        self, name: str, title: str, first: str, bins: Iterable[tuple[str, Kept]], *, chance: float | None = None
    ) -> list[Table]:
        """The table, or none where it has no row: what it sorts by is not known of these documents.

        Args:
            name: As of ``table``, like all others.
            title: For people.
            first: Head of the first column.
            bins: What each row is called, and what its bin keeps.
            chance: See ``Table.chance``.
        """
        table = self.table(name, title, first, bins, chance=chance)
        return [table] if table.rows else []


def named(bins: Iterable[Range]) -> list[tuple[str, Range]]:
    """Ranges as bins of a table, for counts that are taken inside each of them."""
    return [(one.name, one) for one in bins]


def estimate(counts: npt.ArrayLike, figure: Figure) -> Estimate:
    """A figure of summed counts (N, K), and its interval over documents."""
    table = np.asarray(counts, dtype=np.float64)
    return Estimate(float(figure(table.sum(axis=0)[None])[0]), *ends(bootstrap(table, figure)))


def mean(values: npt.ArrayLike, groups: Sequence[Hashable]) -> Estimate:
    """The mean of N values, and its interval over groups (records), each with all of its cases."""
    return Estimate(float(np.mean(np.asarray(values, dtype=np.float64))), *ends(bootstrap_mean(values, groups)))


def ends(interval: Interval) -> tuple[float | None, float | None]:
    """Low and high, for two cells of a row; None where there is no interval."""
    return interval.low, interval.high


def picked(cases: Sequence[Kept], bins: Iterable[tuple[str, Sequence[int]]]) -> list[tuple[str, list[Kept]]]:
    """Bins of indices (``bins.by_size``, ``bins.by_part``) as bins of the cases themselves."""
    return [(label, [cases[i] for i in chosen]) for label, chosen in bins]
