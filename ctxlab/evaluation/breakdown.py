"""Breakdowns, tables that show where quality is lost: a row per bin, with a figure and its interval.

Shape legend: N documents or cases, K counts of each.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ctxlab.core.types import BARS, Table
from ctxlab.evaluation.bins import Size, Tenth
from ctxlab.evaluation.statistics import Counts, Interval, bootstrap, by_group, ratio, with_width

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
        """Return value, low and high."""
        return self.value, self.low, self.high


@dataclass(frozen=True)
class Breakdown(Generic[Kept]):
    """The breakdowns of one metric, which share their columns, the function that makes a row, and the note."""

    columns: Sequence[str]
    """Columns after the first, which is the label of the bin."""
    row: Callable[[Kept], Sequence[Any] | None]
    """Returns the cells under ``columns`` for the content of a bin; None leaves the bin out."""
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
        """Return a table with a row per bin.

        Args:
            name: Name of the table in ``result.json``.
            title: Title in the report.
            first: Header of the first column.
            bins: Label of each row and content of its bin, such as cases, or the range that they are in.
            chance: See ``Table.chance``.
            drawn: Kind of plot in the report, see ``Table``.
        """
        rows = [(label, *cells) for label, kept in bins if (cells := self.row(kept)) is not None]
        return Table(name, title, columns=(first, *self.columns), rows=rows, note=self.note, chance=chance, drawn=drawn)

    def known(
        self, name: str, title: str, first: str, bins: Iterable[tuple[str, Kept]], *, chance: float | None = None
    ) -> list[Table]:
        """Return the table in a list, empty where it has no rows because the documents lack the needed information.

        Args:
            name: Name of the table in ``result.json``.
            title: Title in the report.
            first: Header of the first column.
            bins: Label of each row and content of its bin.
            chance: See ``Table.chance``.
        """
        table = self.table(name, title, first, bins, chance=chance)
        return [table] if table.rows else []


def named(bins: Iterable[Range]) -> list[tuple[str, Range]]:
    """Return ranges with their labels, as bins whose row function counts what is inside."""
    return [(one.name, one) for one in bins]


def estimate(counts: npt.ArrayLike, figure: Figure, *, is_share: bool = True) -> Estimate:
    """Return a figure of summed counts (N, K), with its interval over documents.

    Args:
        counts: Counts of each document.
        figure: Summed counts to the figure.
        is_share: Whether the figure is between 0 and 1, see ``with_width``.
    """
    table = np.asarray(counts, dtype=np.float64)
    interval = bootstrap(table, figure)
    if is_share:
        interval = with_width(interval, int(table.any(axis=1).sum()))
    return Estimate(float(figure(table.sum(axis=0)[None])[0]), *ends(interval))


def mean(values: npt.ArrayLike, groups: Sequence[Hashable], *, is_share: bool = True) -> Estimate:
    """Return the mean of N values, with its interval over groups (records), each with all of its cases."""
    cases = np.asarray(values, dtype=np.float64)
    return estimate(by_group(np.stack([cases, np.ones(len(cases))], axis=-1), groups), ratio, is_share=is_share)


def ends(interval: Interval) -> tuple[float | None, float | None]:
    """Return low and high, for two cells of a row; None where there is no interval."""
    return interval.low, interval.high


def picked(cases: Sequence[Kept], bins: Iterable[tuple[str, Sequence[int]]]) -> list[tuple[str, list[Kept]]]:
    """Convert bins of indices (``bins.by_size``, ``bins.by_part``) to bins of the cases themselves."""
    return [(label, [cases[i] for i in chosen]) for label, chosen in bins]
