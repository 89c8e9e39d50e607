"""Rankings of documents by the scores of a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.types import BoolArray, Document, Encoded, FloatArray, IntArray
from ctxlab.tasks.records.evidence import evidence_at

ALL = "*"
"""Stands for the documents of the split and the corpus, where a query does not name those to rank."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one query."""

    order: tuple[str, ...]
    """Ids of the documents, the best first."""
    scores: tuple[float, ...]
    """Cosine of each, in that order; -1 where nothing of it was read."""
    num_tokens: int
    """Tokens of the first relevant document, 0 where it is not known."""
    share_read: float
    """Fraction of the tokens of all ranked documents that was read."""
    could_know: bool
    """Whether the known evidence, or else something of a relevant document, was read."""
    position: float | None = None
    """Position of the evidence in its document, 0 to 1; None where it is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What was read of a document."""

    seen: BoolArray
    """(L,)"""
    places: tuple[IntArray, ...]
    """Starts and ends (L,) of its tokens, in characters."""


def ranking(document: Document, row: FloatArray, known: Mapping[str, Known], share: float) -> Found:
    """Rank the documents for a query; equal ones by their ids.

    Args:
        document: The query.
        row: (D,) score of each document.
        known: What was read of each document, by its id, in the same order.
        share: Fraction of the tokens of all documents that was read.
    """
    names: Sequence[str] = list(known)
    wanted = document.fields["candidates"]
    kept = range(len(names)) if wanted == (ALL,) else [i for i, name in enumerate(names) if name in set(wanted)]
    order = sorted(kept, key=lambda i: (-row[i], names[i]))
    relevant = document.fields.get("relevant", ())
    probes = document.fields.get("probes", ())
    position, could_know = None, any(known[name].seen.any() for name in relevant)
    if probes:
        position, could_know = _place(known[probes[0]["document"]], probes[0])
    return Found(
        tuple(names[i] for i in order),
        tuple(float(row[i]) for i in order),
        num_tokens=len(known[relevant[0]].seen) if relevant else 0,
        share_read=share,
        could_know=could_know,
        position=position,
    )


def _place(owner: Known, piece: Mapping[str, Any]) -> tuple[float, bool]:
    """Return the position of a piece of evidence in its document, and whether all of it was read."""
    starts, ends = owner.places
    nothing = np.zeros(len(starts), np.int64)
    return evidence_at(
        Encoded(nothing, nothing, labels=nothing, starts=starts, ends=ends), owner.seen, piece["start"], piece["end"]
    )
