"""Retrieval of whole documents: recall at 1, 5 and 10, MRR, nDCG at 10, beside BM25 over the same documents.

Recall at k is the fraction of a query's relevant documents among the first k, MRR the mean of 1 / rank of the first
one, and nDCG has a gain of 1 for each of them (``evaluation.ranks``). Among equal scores a relevant document comes
last. **BM25** (Robertson et al. 1994) ranks whole documents by all of their words, whatever a strategy reads of them;
**blend** ranks by the mean of both scores, each standardised over the documents of the query.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ctxlab.core.types import Document, DoubleArray, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, mean, picked
from ctxlab.evaluation.ranks import rank
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import interval_note
from ctxlab.evaluation.sufficient import blend_ranks, bm25_ranks, retrieved_ranks
from ctxlab.tasks.records.rankings import ALL, Found
from ctxlab.tasks.retrieval import DOCUMENT
from ctxlab.text.index import Bm25Index

NAME, LEXICAL, BLEND = "retrieved_ranks", "bm25_ranks", "blend_ranks"
"""Names of the statistics: of the model, of BM25, and of both together."""

MODEL, BM25, BOTH = retrieved_ranks.STATISTIC, bm25_ranks.STATISTIC, blend_ranks.STATISTIC

_INTERVAL = interval_note("queries")


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One query, its figures and the place of its evidence."""

    record: ScoredRecord
    scores: Sequence[float]
    lexical: Sequence[float]
    blend: Sequence[float]
    by_chance: Sequence[float]
    answer: Found
    distance: int | None


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute the figures of all queries, with breakdowns of recall at 5.

    Args:
        documents: Queries, with ``relevant``, and documents.
        predictions: ``Found`` of each query, in the same order; those of documents are not looked at.
    """
    texts = [document for document in documents if document.fields["role"] == DOCUMENT]
    names = tuple(document.fields["document"] for document in texts)
    index = _index(tuple(document.fields["text"] for document in texts))
    pairs = zip(documents, predictions, strict=True)
    cases = [_case(d, p.answer, names, index) for d, p in pairs if d.fields["role"] != DOCUMENT]
    if not cases:
        return Scores({}, 1.0, notes=["No query has a relevant document: there is nothing to score."])
    records = [case.record for case in cases]
    coverage = float(np.mean([case.answer.could_know for case in cases]))
    return Scores(metrics(records), coverage, tables=[_overall(cases), *_breakdowns(cases)], records=records)


@lru_cache(2)
def _index(texts: tuple[str, ...]) -> Bm25Index:
    """Return the index of the documents of a split, which is scored again and again while training."""
    return Bm25Index(texts)


def _case(document: Document, answer: Found, names: Sequence[str], index: Bm25Index) -> _Case:
    fields, kept = document.fields, set(answer.order)
    assert fields["candidates"] == (ALL,) or kept <= set(fields["candidates"]), "only candidates are ranked"
    lexical = dict(zip(names, index.scores(fields["text"]).tolist(), strict=True))
    gold = np.asarray([name in fields["relevant"] for name in answer.order], np.float64)
    dense = np.asarray(answer.scores, np.float64)
    words = np.asarray([lexical[name] for name in answer.order], np.float64)
    values, baseline, both = (_values(one, gold) for one in (dense, words, standard(dense) + standard(words)))
    return _Case(
        record=ScoredRecord(document.id, document.id, {NAME: values, LEXICAL: baseline, BLEND: both}),
        scores=MODEL.scores(values),
        lexical=BM25.scores(baseline),
        blend=BOTH.scores(both),
        by_chance=MODEL.by_chance(len(gold), int(gold.sum())),
        answer=answer,
        distance=next((piece["distance"] for piece in fields["probes"] if "distance" in piece), None),
    )


def standard(scores: DoubleArray) -> DoubleArray:
    """Return scores (D,) less their mean, over their standard deviation; zeros where all are equal."""
    spread = float(scores.std())
    found: DoubleArray = (scores - scores.mean()) / (spread or 1.0)
    return found


def _values(scores: DoubleArray, gold: DoubleArray) -> dict[str, object]:
    if gold.all():  # nothing else is ranked
        return {"ranks": list(range(1, len(gold) + 1)), "candidates": len(gold), "auc": 0.5}
    found = rank(scores, gold)
    return {"ranks": found.ranks.tolist(), "candidates": len(gold), "auc": found.auc}


def _mean(cases: Sequence[_Case], place: int) -> tuple[float, float | None, float | None]:
    return mean([case.scores[place] for case in cases], [case.record.group for case in cases]).cells


def _overall(cases: Sequence[_Case]) -> Table:
    rows = [
        (
            name.replace("_at_", "@").replace("_", " "),
            *_mean(cases, place),
            float(np.mean([case.lexical[place] for case in cases])),
            float(np.mean([case.blend[place] for case in cases])),
            float(np.mean([case.by_chance[place] for case in cases])),
        )
        for place, name in enumerate(MODEL.names)
    ]
    columns = ("figure", "value", "low", "high", "BM25", "blend", "by chance")
    return Table("overall", f"Over {len(cases):,} queries", columns=columns, rows=rows, note=_INTERVAL)


def _breakdowns(cases: Sequence[_Case]) -> list[Table]:
    """Break down by length of the relevant document and, where known, by place of the evidence in it."""
    columns = ("queries", "recall@5", "low", "high")
    by = Breakdown[Sequence[_Case]](columns, lambda some: (len(some), *_mean(some, 0)), _INTERVAL)
    lengths = picked(cases, by_size([case.answer.num_tokens for case in cases], LENGTHS))
    places = picked(cases, by_part([case.answer.position for case in cases]))
    distances = picked(cases, by_size([case.distance for case in cases], DISTANCES, least=0))
    return [
        by.table("by_length", "By length of the relevant document", "tokens", lengths),
        *by.known("by_position", "By depth of the evidence in its document", "evidence at", places),
        *by.known("by_evidence", "By words before the evidence", "words before it", distances),
    ]
