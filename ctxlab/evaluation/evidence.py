"""Whether what is written has the words that hang on a known sentence of the document, by its distance."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import Document, Prediction, Table
from ctxlab.evaluation.bins import DISTANCES, by_size
from ctxlab.evaluation.statistics import bootstrap_mean, interval_note
from ctxlab.text.units import find_words


def by_evidence(documents: Sequence[Document], predictions: Sequence[Prediction], what: str) -> list[Table]:
    """Share of the words of ``probes`` that were written, by distance; no table where there are none.

    Args:
        documents: With ``probes`` (``tasks.evidence.checked_probes``), and ``group`` where several are of one record.
        predictions: ``tasks.writing.WrittenText`` of each, in the same order.
        what: What the distance leads to, for the title of the column.
    """
    pairs = list(zip(documents, predictions, strict=True))
    groups = [d.fields.get("group", d.id) for d, _ in pairs for _ in d.fields.get("probes", ())]
    found = [
        (probe["distance"], says(prediction.answer.text, probe["says"]), read)
        for document, prediction in pairs
        for probe, (_, read) in zip(document.fields.get("probes", ()), prediction.answer.evidence, strict=True)
    ]
    if not found:
        return []
    rows = []
    for label, chosen in by_size([distance for distance, _, _ in found], DISTANCES):
        right, read = np.asarray([found[i][1:] for i in chosen], dtype=np.float64).T
        interval = bootstrap_mean(right, [groups[i] for i in chosen])
        rows.append((label, len(chosen), float(right.mean()), interval.low, interval.high, float(read.mean())))
    note = (
        "cases: words that hang on one sentence of the document; accuracy: share of them that was written; read: "
        f"share of these sentences that was read whole; {interval_note()}"
    )
    columns = (what, "cases", "accuracy", "low", "high", "read")
    return [Table("by_evidence", "Words that a fact decides, by distance from it", columns, rows, note)]


def says(text: str, wanted: str) -> bool:
    """Whether ``text`` has ``wanted`` as whole words, in large or small letters."""
    return bool(find_words(text, wanted))
