"""Whether what is written has the words that hang on a known sentence of the document, by its distance."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ctxlab.core.types import Document, Prediction, Table
from ctxlab.evaluation.statistics import bootstrap, ratio

DISTANCE_BINS = (32, 128, 512, 2048)
"""Last word count of each bin of distances; the last bin is open."""


def by_evidence(documents: Sequence[Document], predictions: Sequence[Prediction], what: str) -> list[Table]:
    """Share of the words of ``probes`` that were written, by distance; no table where there are none.

    Args:
        documents: With ``probes`` (``tasks.writing.checked_probes``), and ``group`` where several are of one record.
        predictions: ``tasks.writing.WrittenText`` of each, in the same order.
        what: What the distance leads to, for the title of the column.
    """
    found = [
        (
            document.fields.get("group", document.id),
            probe["distance"],
            says(prediction.answer.text, probe["says"]),
            read,
        )
        for document, prediction in zip(documents, predictions, strict=True)
        for probe, (_, read) in zip(document.fields.get("probes", ()), prediction.answer.evidence, strict=True)
    ]
    if not found:
        return []
    rows = []
    for low, high in pairwise((0, *DISTANCE_BINS, np.inf)):
        cases = [case for case in found if low < case[1] <= high]
        if cases:
            groups: dict[str, list[float]] = {}
            for group, _, right, _ in cases:
                sums = groups.setdefault(group, [0.0, 0.0])
                sums[0] += right
                sums[1] += 1
            interval = bootstrap(list(groups.values()), ratio)
            accuracy, read = (float(np.mean([case[i] for case in cases])) for i in (2, 3))
            rows.append((bin_name(low, high), len(cases), accuracy, interval.low, interval.high, read))
    note = (
        "cases: words that hang on one sentence of the document; accuracy: share of them that was written; read: "
        "share of these sentences that was read whole; low and high: 95 % bootstrap interval over documents"
    )
    columns = (what, "cases", "accuracy", "low", "high", "read")
    return [Table("by_evidence", "Words that a fact decides, by distance from it", columns, rows, note)]


def says(text: str, wanted: str) -> bool:
    """Whether ``text`` has ``wanted`` as whole words, in large or small letters."""
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text, re.IGNORECASE) is not None


def bin_name(low: float, high: float) -> str:
    """Label of a bin that begins behind ``low``."""
    return f"over {low:,.0f}" if high == np.inf else f"{low + 1:,.0f}–{high:,.0f}"
