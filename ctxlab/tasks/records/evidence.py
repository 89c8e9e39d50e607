"""Known pieces of evidence in a text (the field ``probes`` of records): checks, tokens, and whether they were read."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, Document, Encoded, IntArray, Merged


def checked_evidence(pieces: Any, field: str, text: str, origin: str) -> list[dict[str, Any]]:
    """Check pieces of evidence in ``text``: ``start``, ``end`` (characters), ``distance`` (words) and ``says``.

    Args:
        pieces: Value of the field.
        field: Name of the field, for messages.
        text: The text that the characters count in.
        origin: Place of the record, for messages.

    Raises:
        UserError: A piece is not such an object, or outside the text.
    """
    for index, piece in enumerate(pieces if isinstance(pieces, list | tuple) else [None]):
        fits = isinstance(piece, Mapping) and all(isinstance(piece.get(n), int) for n in ("start", "end", "distance"))
        if not fits or not isinstance(piece.get("says"), str) or not 0 <= piece["start"] < piece["end"] <= len(text):
            raise UserError(
                f"The field '{field}[{index}]' of {origin} is {str(piece)[:80]}: give "
                '{"start": …, "end": …, "distance": …, "says": …} with characters of the text, or leave probes out.'
            )
    return [dict(piece) for piece in pieces]


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
