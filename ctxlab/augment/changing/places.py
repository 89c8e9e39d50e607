"""Where a place of a text lies after parts of the text have been replaced."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Move:
    """A part of a text, and how long it is afterwards."""

    start: int
    end: int
    """Not included; equal to ``start`` where something is inserted before the place."""
    size: int
    """Length of what is there afterwards."""


class Places:
    """Places after some parts of a text have been replaced."""

    def __init__(self, moves: Sequence[Move]) -> None:
        """Store the parts, which are in order and disjoint."""
        self._starts, self._ends = [move.start for move in moves], [move.end for move in moves]
        self._shifts = [0, *accumulate(move.size - (move.end - move.start) for move in moves)]
        self._sizes = [move.size for move in moves]

    def begin(self, place: int) -> int:
        """Return where what begins at ``place`` begins: after all that was inserted before it."""
        index = bisect_right(self._ends, place)
        if index < len(self._starts) and self._starts[index] < place:  # inside a replaced part
            place = self._starts[index]
        return place + self._shifts[index]

    def end(self, place: int) -> int:
        """Return where what ends before ``place`` ends: before all that was inserted after it."""
        index = bisect_left(self._ends, place)
        while index < len(self._starts) and self._starts[index] < self._ends[index] == place:
            index += 1
        if index < len(self._starts) and self._starts[index] < place:
            return self._starts[index] + self._shifts[index] + self._sizes[index]
        return place + self._shifts[index]

    def inserted(self) -> list[int]:
        """Return where each insertion begins."""
        parts = zip(self._starts, self._ends, self._shifts, strict=False)
        return [start + shift for start, end, shift in parts if start == end]
