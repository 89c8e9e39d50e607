"""Known pieces of evidence: what records say of them, where their tokens are, and whether these were read."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray, Document, Encoded, IntArray, Merged


def checked_probes(probes: Any, field: str, text: str, origin: str) -> list[dict[str, Any]]:
    """Known pieces of evidence in ``text``: ``start``, ``end`` (characters), ``distance`` (words) and ``says``.

    Raises:
        UserError: One is something else, or lies outside the text.
    """
    for index, probe in enumerate(probes if isinstance(probes, list | tuple) else [None]):
        fits = isinstance(probe, Mapping) and all(isinstance(probe.get(n), int) for n in ("start", "end", "distance"))
        if not fits or not isinstance(probe.get("says"), str) or not 0 <= probe["start"] < probe["end"] <= len(text):
            raise UserError(
                f"The field '{field}[{index}]' of {origin} is {str(probe)[:80]}: give "
                '{"start": …, "end": …, "distance": …, "says": …} with characters of the text, or leave probes out.'
            )
    return [dict(probe) for probe in probes]


def evidence_at(encoded: Encoded, seen: BoolArray, start: int, end: int) -> tuple[float, bool]:
    """Where a stretch of characters lies in the document (share), and whether it was read whole."""
    inside = evidence_tokens(encoded, start, end)
    whole = len(inside) > 0 and bool(seen[inside].all())
    return start / max(int(encoded.ends[-1]), start + 1), whole


def evidence_tokens(encoded: Encoded, start: int, end: int) -> IntArray:
    """Tokens of the characters from ``start`` to ``end`` (not included)."""
    first = np.searchsorted(encoded.ends, start, side="right")
    return np.arange(first, max(np.searchsorted(encoded.starts, end, side="left"), first))


def evidence_of(document: Document, encoded: Encoded, merged: Merged) -> tuple[tuple[float, bool], ...]:
    """Place of each known piece of evidence (share of the document), and whether it was read whole."""
    probes = document.fields.get("probes", ())
    return tuple(evidence_at(encoded, merged.seen, probe["start"], probe["end"]) for probe in probes)
