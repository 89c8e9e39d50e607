"""A candidate as plots show it: its values and their range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from ctxlab.reporting.charts.svg import Look
from ctxlab.reporting.tables import cell


@dataclass(frozen=True, slots=True)
class Value:
    """A figure with its interval; a bound is None where there is none."""

    figure: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval, if both bounds are finite."""
        if self.low is None or self.high is None or not (isfinite(self.low) and isfinite(self.high)):
            return None
        return self.low, self.high

    @property
    def words(self) -> str:
        """``0.634 [0.610, 0.658]``."""
        return f"{cell(self.figure)}{between(self)}".replace("-", "−")


def view(values: Sequence[Value]) -> list[float]:
    """Return the ends of what a plot shows: all figures, and intervals as far as most of them reach.

    So that one interval that is many times as wide as the others does not make the figures a single line.
    """
    figures = [value.figure for value in values]
    halves = sorted((value.ends[1] - value.ends[0]) / 2 for value in values if value.ends)
    room = max(max(figures) - min(figures), halves[len(halves) // 2] if halves else 0.0)
    low, high = min(figures) - room, max(figures) + room
    if min(figures) >= 0:
        low = max(low, 0.0)  # t intervals do not know that a figure cannot be negative
    return [*figures, *(min(max(end, low), high) for value in values for end in value.ends or ())]


def between(value: Value) -> str:
    """Return `` [0.610, 0.658]``, or nothing without an interval."""
    return f" [{cell(value.ends[0])}, {cell(value.ends[1])}]" if value.ends else ""


@dataclass(frozen=True, slots=True)
class Series:
    """A candidate as plots show it."""

    title: str
    look: Look
    value: Value
    """Its primary metric."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """Name of a cost with its unit → mean over seeds."""
    more: str = ""
    """Further lines of its tooltip, such as its verdict."""

    def tooltip(self, *details: str) -> str:
        """Return the text of its tooltip."""
        return " · ".join(part for part in (self.title, self.value.words, *details, self.more) if part)


@dataclass(frozen=True, slots=True)
class Reference:
    """A level that figures are compared with, such as chance."""

    name: str
    figure: float


def finite(several: Sequence[Series]) -> list[Series]:
    """Return the series whose figure is a number."""
    return [one for one in several if isfinite(one.value.figure)]
