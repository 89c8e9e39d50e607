"""Texts with values over them, as the page and the picture draw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVELS = 8
"""Shades of a sign."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text with one value."""

    text: str
    value: float | None
    """None between words, and where nothing was read."""
    level: int
    """From -LEVELS to LEVELS, relative to the largest absolute value."""
    marked: bool = False
    """Whether the answer is about it."""
    evidence: bool = False
    """Whether it is known evidence."""
    error: float | None = None

    @property
    def look(self) -> str:
        """Return its classes in the style sheet."""
        shade = f"p{self.level}" if self.level > 0 else f"n{-self.level}" if self.level < 0 else ""
        return " ".join(filter(None, [shade, "mark" if self.marked else "", "known" if self.evidence else ""]))

    @property
    def tip(self) -> str:
        """Return what is said when the piece is pointed at."""
        if self.value is None:
            return ""
        error = "" if self.error is None else f" ± {self.error:.2g}"
        what = [f"{self.value:+.3g}{error}", *(["known evidence"] if self.evidence else [])]
        return ", ".join(what)


def pieces(text: str, units: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> list[Piece]:
    """Return the pieces of a text, in order and without gaps.

    Args:
        text: The text.
        units: Words or sentences with ``start``, ``end`` and ``value``, in order.
        target: The target, with ``marked`` and ``evidence``.
    """
    largest = max((abs(unit["value"]) for unit in units), default=0.0)
    found: list[Piece] = []
    place = 0
    for unit in units:
        start, end = max(unit["start"], place), unit["end"]
        if end <= start:
            continue
        if start > place:
            found.append(Piece(text[place:start], None, 0))
        found.append(
            Piece(
                text[start:end],
                unit["value"],
                level_of(unit["value"], largest),
                marked=_within(start, end, target["marked"]),
                evidence=_within(start, end, target["evidence"]),
                error=unit.get("standard_error"),
            )
        )
        place = end
    if place < len(text):
        found.append(Piece(text[place:], None, 0))
    return found


def level_of(value: float, largest: float) -> int:
    """Return the shade of a value: 0 only where it rounds to nothing."""
    return round(LEVELS * value / largest) if largest else 0


def _within(start: int, end: int, places: Sequence[Sequence[int]]) -> bool:
    return any(start < last and first < end for first, last in places)


def finest(target: Mapping[str, Any]) -> str:
    """Return ``words``, or ``sentences`` where only these have values."""
    return "words" if target["words"] is not None else "sentences"
