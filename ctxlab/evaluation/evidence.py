"""Whether generated texts contain the words that depend on a known sentence of the document, by its distance."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import Document, Prediction, Table
from ctxlab.evaluation.bins import DISTANCES, by_size
from ctxlab.evaluation.breakdown import Breakdown, mean
from ctxlab.evaluation.statistics import interval_note
from ctxlab.text.units import find_words


def by_evidence(documents: Sequence[Document], predictions: Sequence[Prediction], what: str) -> list[Table]:
    """Return the fraction of the words of ``probes`` that were generated, by distance; no table without any.

    Args:
        documents: With ``probes`` (``records.evidence.checked_evidence``); with ``group`` where a record has several.
        predictions: ``GeneratedText`` of each, in the same order.
        what: Header of the column of distances.
    """
    pairs = list(zip(documents, predictions, strict=True))
    groups = [d.fields.get("group", d.id) for d, _ in pairs for _ in d.fields.get("probes", ())]
    found = [
        (probe["distance"], says(prediction.answer.text, probe["says"]), read)
        for document, prediction in pairs
        for probe, (_, read) in zip(document.fields.get("probes", ()), prediction.answer.evidence, strict=True)
    ]

    def row(chosen: Sequence[int]) -> tuple[int, float, float | None, float | None, float]:
        right, read = np.asarray([found[i][1:] for i in chosen], dtype=np.float64).T
        return len(chosen), *mean(right, [groups[i] for i in chosen]).cells, float(read.mean())

    note = (
        "cases: words that depend on one sentence of the document; accuracy: fraction of them that was generated; "
        f"read: fraction of these sentences of which all was read; {interval_note()}"
    )
    by = Breakdown(("cases", "accuracy", "low", "high", "read"), row, note)
    bins = by_size([distance for distance, _, _ in found], DISTANCES)
    return by.known("by_evidence", "Words that depend on a fact, by distance from it", what, bins)


def says(text: str, wanted: str) -> bool:
    """Whether ``text`` contains ``wanted`` as whole words, ignoring case."""
    return bool(find_words(text, wanted))
