"""Named bins of cases for breakdowns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

from ctxlab.core.types import BoolArray

LENGTHS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
"""Last token count of each bin of document lengths; the last bin is open."""

DISTANCES = (32, 128, 512, 2048)
"""Last word count of each bin of distances; the last bin is open."""

PARTS = 10
"""Number of equal parts of a document."""

Bin = tuple[str, list[int]]
"""Name of a bin and the cases in it."""

Item = TypeVar("Item")


class _Holder(Protocol):
    @property
    def name(self) -> str: ...

    def __contains__(self, value: float, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Size:
    """A bin of integers above ``low`` and at most ``high``."""

    low: float
    high: float

    @property
    def name(self) -> str:
        """The label of the bin in a table."""
        return f"over {self.low:,.0f}" if self.high == inf else f"{self.low + 1:,.0f}–{self.high:,.0f}"

    def __contains__(self, value: float) -> bool:
        return self.low < value <= self.high

    def holds(self, values: npt.NDArray[Any]) -> BoolArray:
        """Return for each of ``values`` whether it is in the bin."""
        return (self.low < values) & (values <= self.high)


@dataclass(frozen=True, slots=True)
class Tenth:
    """A bin of relative positions in a document, from 0 to 1; position 1 is in the last bin."""

    index: int

    @property
    def name(self) -> str:
        """The label of the bin in a table."""
        return f"{100 * self.index // PARTS}–{100 * (self.index + 1) // PARTS} %"

    def __contains__(self, share: float) -> bool:
        return tenth_of(share) == self.index


def tenth_of(share: float) -> int:
    """Return the index of the bin of a relative position."""
    return min(int(share * PARTS), PARTS - 1)


TENTHS = tuple(Tenth(index) for index in range(PARTS))


def sizes(edges: Sequence[float], least: int = 1) -> list[Size]:
    """Return bins that end at ``edges``, and one for larger values; ``least`` is the smallest value of the first."""
    return [Size(low, high) for low, high in pairwise((least - 1, *edges, inf))]


def by_size(values: Sequence[float | None], edges: Sequence[float], least: int = 1) -> list[Bin]:
    """Return the non-empty bins of values, each up to and including its edge; None is left out."""
    return _filled(values, sizes(edges, least))


def by_part(shares: Sequence[float | None]) -> list[Bin]:
    """Return the non-empty tenths of a document, for positions from 0 to 1; None is left out."""
    return _filled(shares, TENTHS)


def cut(items: Sequence[Item], num_parts: int = PARTS) -> list[Sequence[Item]]:
    """Split items into equal parts in order; with few items some parts are empty."""
    ends = [len(items) * part // num_parts for part in range(num_parts + 1)]
    return [items[start:end] for start, end in pairwise(ends)]


def _filled(values: Sequence[float | None], bins: Iterable[_Holder]) -> list[Bin]:
    found = [(one.name, [i for i, value in enumerate(values) if value is not None and value in one]) for one in bins]
    return [(name, chosen) for name, chosen in found if chosen]
