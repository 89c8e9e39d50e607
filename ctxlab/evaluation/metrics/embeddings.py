"""Embeddings of documents, judged without labels: can one half of a document be told from those of all others?

- **Accuracy** is the fraction of documents whose second half is nearer to the first half than that of any other one.
- **Contrastive loss** is the cross entropy of picking it, from cosines over 0.05, as SimCSE trains (arXiv:2104.08821).
- **Alignment** is the mean squared distance of both halves, **uniformity** the logarithm of the mean of exp(-2 d²) over
  all pairs of documents (Wang & Isola 2020, arXiv:2005.10242); lower is better for both.

Halves in the same window see each other, so that figures compare models on the same documents and windows, and are no
measure of retrieval. A document of which fewer than two tokens were read is not picked, at the loss of a guess.

Shape legend: N documents, H width.
"""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import Document, DoubleArray, Prediction, ScoredRecord, Scores
from ctxlab.evaluation.bins import LENGTHS, by_size
from ctxlab.evaluation.breakdown import Breakdown, estimate, picked
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import interval_note, ratio
from ctxlab.tasks.contrastive import Embedded

NAME = "embeddings"
"""Name of the statistic."""

TEMPERATURE = 0.05
"""Divides cosines in the loss, whatever a run trained with."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute the figures of all documents, and accuracy by length."""
    answers: list[Embedded] = [prediction.answer for prediction in predictions]
    rows = values(answers)
    records = [ScoredRecord(d.id, d.id, {NAME: row}) for d, row in zip(documents, rows, strict=True)]
    counts = [(int(row["picked"]), 1) for row in rows]
    by: Breakdown[list[tuple[int, int]]] = Breakdown(
        ("documents", "accuracy", "low", "high"),
        lambda kept: (len(kept), *estimate(kept, ratio).cells),
        interval_note(),
    )
    lengths = picked(counts, by_size([answer.num_tokens for answer in answers], LENGTHS[:-1]))
    tables = [
        by.table("overall", "Halves that are told from all others", "split", [("all", counts)]),
        by.table("by_length", "Accuracy by length of the document", "tokens", lengths),
    ]
    read = sum(answer.num_seen for answer in answers) / max(sum(answer.num_tokens for answer in answers), 1)
    alone = ["There is one document only, so that its halves are told from no other."] if len(documents) < 2 else []
    return Scores(metrics(records), read, tables, notes=alone, records=records)


def values(answers: Sequence[Embedded]) -> list[dict[str, float]]:
    """Return the values of each document; see ``evaluation.sufficient.embeddings``."""
    halves = np.stack([answer.halves for answer in answers]).astype(np.float64)
    whole = np.stack([answer.whole for answer in answers]).astype(np.float64)
    count, read = len(answers), np.array([answer.num_seen > 1 for answer in answers])
    cosines = halves[:, 0] @ halves[:, 1].T / TEMPERATURE  # (N, N)
    loss = np.logaddexp.reduce(cosines, axis=1) - np.diag(cosines)
    best = (np.diag(cosines) >= cosines.max(axis=1)) & read
    apart = ((halves[:, 0] - halves[:, 1]) ** 2).sum(axis=1)
    near = _nearness(whole)
    return [
        {
            "loss": float(loss[place] if read[place] else np.log(count)),
            "picked": float(best[place]),
            "apart": float(apart[place]),
            "near": float(near[place]),
            "documents": 1.0,
        }
        for place in range(count)
    ]


def _nearness(whole: DoubleArray) -> DoubleArray:
    """Return (N,) the mean of exp(-2 d²) from each of (N, H) to the others; 1 where there is no other."""
    squares = (whole**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * whole @ whole.T, 0)
    near = np.exp(-2 * distances)
    found: DoubleArray = (near.sum(axis=1) - np.diag(near)) / max(len(whole) - 1, 1) if len(whole) > 1 else np.ones(1)
    return found
