"""Strict entity scores: an entity counts only if its type and both boundaries are right.

The per-type table, averages included, is seqeval's in strict IOB2 mode; figures and breakdowns count the same entities.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, TENTHS, Size, Tenth, by_size, sizes, tenth_of
from ctxlab.evaluation.breakdown import Breakdown, estimate, named, picked
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import f1, interval_note, ratio
from ctxlab.evaluation.tag_report import tag_report
from ctxlab.tasks.records.bio import Span, spans

LIBRARIES = ("evaluate", "seqeval.metrics")
"""Libraries that are loaded at the first call of ``score``, which takes seconds."""

LENGTH_BINS = LENGTHS[1:-2]
"""Last word count of each bin of document lengths; the last bin is open."""

WORDS_PER_PIECE = 256
"""Minimum number of words per call of seqeval."""

CHANCE = 0.25
"""Accuracy of guessing the type of an ambiguous mention: generated documents have four types."""

AVERAGES = ("micro avg", "macro avg", "weighted avg")


@dataclass(frozen=True, slots=True)
class _Case:
    """One document with its gold and predicted entities."""

    document: Document
    prediction: Prediction
    gold: frozenset[Span]
    predicted: frozenset[Span]

    @property
    def num_words(self) -> int:
        return len(self.prediction.answer)


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute precision, recall and F1 over all entities, with breakdowns; unseen entities count as missed.

    Args:
        documents: With gold ``tags``, and ``probes`` where the type depends on evidence elsewhere.
        predictions: One for each document, in the same order; one tag per word, in valid BIO order.

    Raises:
        ValueError: A prediction does not have one tag per word.
    """
    cases = [_case(document, prediction) for document, prediction in zip(documents, predictions, strict=True)]
    records = [_record(case) for case in cases]
    found = metrics(records)
    tables = [
        _overall(found, cases),
        _per_type(_report(cases)),
        *_breakdowns(cases),
        *_by_evidence(cases),
        tag_report(*_words(cases)),
    ]
    notes = [] if any(case.gold for case in cases) else [
        "There is no gold entity in these documents, so every score is 0."
    ]  # fmt: skip
    return Scores(found, _coverage(cases), tables=tables, notes=notes, records=records)


def _record(case: _Case) -> ScoredRecord:
    counts = dict(zip(("correct", "predicted", "gold"), _counts(case.gold, case.predicted), strict=True))
    return ScoredRecord(case.document.id, case.document.id, {"entities": counts})


def _case(document: Document, prediction: Prediction) -> _Case:
    if len(prediction.answer) != len(document.fields["tags"]):
        raise ValueError(
            f"{document.origin} has {len(document.fields['tags'])} words and {len(prediction.answer)} predicted tags."
        )
    gold, predicted = (frozenset(spans(tags)) for tags in (document.fields["tags"], prediction.answer))
    return _Case(document, prediction, gold, predicted)


def _coverage(cases: Sequence[_Case]) -> float:
    """Return the fraction of gold entities of which all words were seen; 1 where there is none."""
    seen = [all(case.prediction.seen[span.start : span.end]) for case in cases for span in case.gold]
    return float(np.mean(seen)) if seen else 1.0


def _report(cases: Sequence[_Case]) -> Mapping[str, Mapping[str, float]]:
    """Return rows by entity type and the averages: ``precision, recall, f1-score, support``."""
    pieces = [piece for case in cases for piece in _pieces(case.document.fields["tags"], case.prediction.answer)]
    gold, predicted = [piece[0] for piece in pieces], [piece[1] for piece in pieces]
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # about the libraries' own internals
        metric = _metric()(keep_in_memory=True, cache_dir=folder, seed=0)
        report: Mapping[str, Mapping[str, float]] = metric.compute(predictions=predicted, references=gold)
    return report


def _words(cases: Sequence[_Case]) -> tuple[list[str], list[str]]:
    """Return the gold and the predicted tag of every word."""
    gold = [tag for case in cases for tag in case.document.fields["tags"]]
    return gold, [tag for case in cases for tag in case.prediction.answer]


def _pieces(gold: Sequence[str], predicted: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Split both taggings between entities, as seqeval's time is quadratic in the length of a sequence."""
    start = 0
    for index in range(1, len(gold)):
        if index - start >= WORDS_PER_PIECE and gold[index][0] != "I" and predicted[index][0] != "I":
            yield gold[start:index], predicted[start:index]
            start = index
    yield gold[start:], predicted[start:]


@cache
def _metric() -> Callable[..., Any]:
    """Return the metric, created when it is first used, as importing ``evaluate`` takes seconds."""
    import datasets
    import evaluate
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    class StrictEntities(evaluate.Metric):
        """seqeval in strict mode under the IOB2 scheme."""

        def _info(self) -> Any:
            tags = datasets.List(datasets.Value("string"))
            return evaluate.MetricInfo(
                description="Strict entity precision, recall and F1.",
                citation="",
                inputs_description="",
                features=datasets.Features({"predictions": tags, "references": tags}),
            )

        def _compute(self, predictions: Any, references: Any) -> Any:
            references, predictions = list(references), list(predictions)
            if all(tag == "O" for tags in (*references, *predictions) for tag in tags):
                # seqeval cannot compute the weighted average without entities.
                nothing = {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0}
                return dict.fromkeys(AVERAGES, nothing)
            return classification_report(
                references, predictions, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
            )

    return StrictEntities


def _overall(found: Mapping[str, float], cases: Sequence[_Case]) -> Table:
    num_gold, _, low, high = _f1_row([_counts(case.gold, case.predicted) for case in cases])
    columns = ("entities", "gold", *found, "low", "high")
    return Table(
        "overall",
        "Entities",
        columns=columns,
        rows=[("all", num_gold, *found.values(), low, high)],
        note=interval_note(),
    )


def _per_type(report: Mapping[str, Mapping[str, float]]) -> Table:
    rows = [
        (name, float(row["precision"]), float(row["recall"]), float(row["f1-score"]), int(row["support"]))
        for name, row in report.items()
    ]
    columns = ("type", "precision", "recall", "f1", "support")
    return Table("per_type", "Strict scores by entity type", columns=columns, rows=rows, note="support = gold entities")


def _breakdowns(cases: Sequence[_Case]) -> list[Table]:
    """Break down by length of the document, and by the position at which an entity starts."""

    def of_documents(chosen: Sequence[_Case]) -> Sequence[Any]:
        return len(chosen), *_f1_row([_counts(case.gold, case.predicted) for case in chosen])

    starting = [(_by_tenth(case, case.gold), _by_tenth(case, case.predicted)) for case in cases]

    def inside(tenth: Tenth) -> Sequence[Any]:
        return _f1_row([_counts(gold[tenth.index], predicted[tenth.index]) for gold, predicted in starting])

    columns = ("entities", "f1", "low", "high")
    lengths = Breakdown(("documents", *columns), of_documents, interval_note())
    places = Breakdown(columns, inside, interval_note())
    bins, title = (
        by_size([case.num_words for case in cases], LENGTH_BINS),
        "F1 by position of the entity in the document",
    )
    return [
        lengths.table("by_length", "F1 by length of the document", "words", picked(cases, bins)),
        places.table("by_position", title, "part of the document", named(TENTHS)),
    ]


def _by_tenth(case: _Case, found: frozenset[Span]) -> list[set[Span]]:
    """Return the entities that start in each tenth of the document."""
    places: list[set[Span]] = [set() for _ in TENTHS]
    for span in found:
        places[tenth_of(span.start / case.num_words)].add(span)
    return places


def _counts(gold: Set[Span], predicted: Set[Span]) -> tuple[int, int, int]:
    return len(gold & predicted), len(predicted), len(gold)


def _f1_row(counts: Sequence[tuple[int, int, int]]) -> tuple[int, float | None, float | None, float | None]:
    """Return the number of gold entities, F1 and its interval; no figure without gold."""
    sums = np.sum(np.asarray(counts, dtype=np.float64), axis=0)
    if not sums[2]:
        return 0, None, None, None
    return int(sums[2]), *estimate(counts, f1).cells


def _by_evidence(cases: Sequence[_Case]) -> list[Table]:
    """Break down the accuracy on ambiguous mentions, whose type another sentence states, by its distance."""

    def row(size: Size) -> Sequence[Any] | None:
        counts = [_resolved(case, size) for case in cases]
        asked = sum(count[1] for count in counts)
        return (asked, *estimate(counts, ratio).cells) if asked else None

    by = Breakdown(("mentions", "accuracy", "low", "high"), row, f"chance {CHANCE}; {interval_note()}")
    title = "Type of ambiguous mentions by distance of the evidence"
    return by.known("by_evidence", title, "words to the evidence", named(sizes(DISTANCES)), chance=CHANCE)


def _resolved(case: _Case, size: Size) -> tuple[int, int]:
    """Count the ambiguous mentions with the right type at their first word, and all of them, in the bin."""
    gold, answer = case.document.fields["tags"], case.prediction.answer
    chosen = [p["start"] for p in case.document.fields.get("probes", ()) if p["distance"] in size]
    return sum(answer[start][2:] == gold[start][2:] for start in chosen), len(chosen)
