"""What plots show of a candidate."""

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
    def reach(self) -> list[float]:
        """Every number that a scale must have room for."""
        return [self.figure, *(self.ends or ())]

    @property
    def words(self) -> str:
        """``0.634 [0.610, 0.658]``."""
        return f"{cell(self.figure)}{between(self)}".replace("-", "−")


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
    """What is told of it beside title and value, such as its verdict."""

    def told(self, *details: str) -> str:
        """Return what is told when it is pointed at."""
        return " · ".join(part for part in (self.title, self.value.words, *details, self.more) if part)


@dataclass(frozen=True, slots=True)
class Reference:
    """A level that figures are compared with, such as chance."""

    name: str
    figure: float


def finite(several: Sequence[Series]) -> list[Series]:
    """Return the series whose figure is a number."""
    return [one for one in several if isfinite(one.value.figure)]
