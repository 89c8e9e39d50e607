"""Known pieces of evidence in a text (the field ``probes`` of records): checks, tokens, and whether they were read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, Document, Encoded, IntArray, Merged

PLACE = ("start", "end", "distance")
"""Whole numbers of a piece: its first character, the one after its last, and the words up to what depends on it."""

FARTHEST_WORDS = 2**31
"""Bound of a distance, so that it can be counted."""


def evidence_field(
    record: Mapping[str, Any], size: int, origin: str, needs: Sequence[str] = PLACE, unit: str = "characters"
) -> dict[str, Any]:
    """Return the checked field ``probes`` of a record (its known pieces of evidence), if it has any.

    Args:
        record: A raw record.
        size: Length of the text that the places count in.
        origin: Place of the record, for messages.
        needs: Whole numbers that each piece must have.
        unit: What the places count, for messages.

    Raises:
        UserError: A piece has not these numbers, or is outside the text.
    """
    pieces = record.get("probes")
    if pieces is None:
        return {}
    return {"probes": _checked(pieces, "probes", origin, size=size, needs=needs, unit=unit)}


def checked_evidence(pieces: Any, field: str, text: str, origin: str) -> list[dict[str, Any]]:
    """Check pieces of evidence in ``text`` with the words that depend on them: ``PLACE`` and ``says``.

    Args:
        pieces: Value of the field.
        field: Name of the field, for messages.
        text: The text that the characters count in.
        origin: Place of the record, for messages.

    Raises:
        UserError: A piece is not such an object, or outside the text.
    """
    return _checked(pieces, field, origin, size=len(text), needs=(*PLACE, "says"), unit="characters")


def _checked(
    pieces: Any, field: str, origin: str, *, size: int, needs: Sequence[str], unit: str
) -> list[dict[str, Any]]:
    for index, piece in enumerate(pieces if isinstance(pieces, list | tuple) else [None]):
        if not isinstance(piece, Mapping) or not all(_fits(piece, name) for name in needs) or not _inside(piece, size):
            shape = ", ".join(f'"{name}": …' for name in needs)
            raise UserError(
                f"The field '{field}[{index}]' of {origin} is {str(piece)[:80]}: give {{{shape}}} with {unit} of the "
                "text, or leave probes out."
            )
    return [dict(piece) for piece in pieces]


def _fits(piece: Mapping[str, Any], name: str) -> bool:
    value = piece.get(name)
    if name == "says":
        return isinstance(value, str)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < FARTHEST_WORDS


def _inside(piece: Mapping[str, Any], size: int) -> bool:
    end = piece["end"] if _fits(piece, "end") else piece["start"] + 1
    return bool(0 <= piece["start"] < end <= size)


def evidence_at(encoded: Encoded, seen: BoolArray, start: int, end: int) -> tuple[float, bool]:
    """Return the position of a span of characters in the document (0 to 1), and whether all of it was read.

    Args:
        encoded: The document's tokens.
        seen: (L,) whether each was read.
        start: First character of the span.
        end: Index after its last character.
    """
    inside = evidence_tokens(encoded, start, end)
    whole = len(inside) > 0 and bool(seen[inside].all())
    return start / max(int(encoded.ends[-1]), start + 1), whole


def evidence_tokens(encoded: Encoded, start: int, end: int) -> IntArray:
    """Return the tokens of the characters from ``start`` to ``end`` (not included)."""
    first = np.searchsorted(encoded.ends, start, side="right")
    return np.arange(first, max(np.searchsorted(encoded.starts, end, side="left"), first))


def evidence_of(document: Document, encoded: Encoded, merged: Merged) -> tuple[tuple[float, bool], ...]:
    """Return the position (0 to 1) of each known piece of evidence, and whether all of it was read."""
    pieces = document.fields.get("probes", ())
    return tuple(evidence_at(encoded, merged.seen, piece["start"], piece["end"]) for piece in pieces)
