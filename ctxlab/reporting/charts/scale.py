"""Scales from values to coordinates, with round ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

LOG_FROM, LOG_TO = 8.0, 1e12
"""Ratios of the largest to the smallest value between which an axis is logarithmic."""

PADDING = 0.06
"""Fraction of an axis that is left free beyond the values at either end."""

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Distances of ticks, times a power of ten."""

THOUSAND, MILLION, BILLION = 1e3, 1e6, 1e9


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic scale."""

    low: float
    high: float
    start: float
    """Coordinate of ``low``."""
    end: float
    """Coordinate of ``high``."""
    is_log: bool = False

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float, *, may_be_log: bool = False) -> "Scale":
        """Return a scale that has room for all values.

        Args:
            values: At least one; all finite.
            start: Coordinate of the low end.
            end: Coordinate of the high end.
            may_be_log: Whether the scale is logarithmic if the values span a large ratio.
        """
        found = list(values)
        low, high = min(found), max(found)
        if may_be_log and low > 0 and LOG_FROM * low <= high <= LOG_TO * low:
            room = (high / low) ** PADDING
            return cls(low / room, high * room, start, end, is_log=True)
        if low == high:
            low, high = (0.0, 1.0) if 0 <= low <= 1 else (low - 1, high + 1)
        room = (high - low) * PADDING
        return cls(low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value, to a tenth of a pixel."""
        low, high, value = (math.log(one) if self.is_log else one for one in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def inside(self, value: float) -> float:
        """Return the coordinate of a value, or that of the end of the scale beyond which it lies."""
        return self(min(max(value, self.low), self.high))

    def ticks(self, most: int = 6) -> list[float]:
        """Return at most ``most`` round values within the scale."""
        found = self._log_ticks(most) if self.is_log else []
        return found if len(found) > 1 else self._linear_ticks(most)

    def _linear_ticks(self, most: int) -> list[float]:
        power = 10.0 ** math.floor(math.log10((self.high - self.low) / most))
        for step in (step * power for step in STEPS):
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last - first < most:
                return [number * step for number in range(first, last + 1)]
        return [self.low, self.high]

    def _log_ticks(self, most: int) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [factor * 10.0**power for power in powers for factor in factors]
            inside = [value for value in found if self.low <= value <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: -(-len(inside) // most)]


def short(value: float) -> str:
    """Return a number for a tick: ``0.25``, ``1,500``, ``20k``, ``3M``, ``4.4e10``."""
    size = abs(value)
    if size >= BILLION:
        return f"{value:.3g}".replace("e+0", "e").replace("e+", "e")
    if size >= MILLION:
        return f"{value / MILLION:g}M"
    if size >= 10 * THOUSAND:
        return f"{value / THOUSAND:g}k"
    return f"{value:,.0f}" if size >= THOUSAND else f"{round(value, 6):g}"
