"""Strict entity scores: an entity counts only with its type and both of its ends right.

Figures and the per-type table come from seqeval in strict IOB2 mode; the breakdowns count the same entities.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ctxlab.core.types import Document, Prediction, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, TENTHS, Size, Tenth, by_size, sizes
from ctxlab.evaluation.statistics import bootstrap, f1, interval_note, ratio
from ctxlab.tasks.records.bio import Span, spans

LENGTH_BINS = LENGTHS[1:-2]
"""Last word count of each bin of document lengths; the last bin is open."""

METRICS = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
"""Our names of figures, and seqeval's."""

WORDS_PER_PIECE = 256
"""Words that seqeval gets at a time, at least."""

AVERAGES = ("micro avg", "macro avg", "weighted avg")


@dataclass(frozen=True, slots=True)
class _Case:
    """One document, its gold and what was predicted."""

    document: Document
    prediction: Prediction
    gold: frozenset[Span]
    predicted: frozenset[Span]

    @property
    def num_words(self) -> int:
        return len(self.prediction.answer)


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Precision, recall and F1 over all entities, with breakdowns; what was not seen counts as missed.

    Args:
        documents: With gold ``tags``, and ``probes`` where the gold hangs on evidence elsewhere.
        predictions: One for each document, in the same order; one tag a word, in valid BIO order.

    Raises:
        ValueError: A prediction does not have one tag a word.
    """
    cases = [_case(document, prediction) for document, prediction in zip(documents, predictions, strict=True)]
    report = _report(cases)
    micro = report["micro avg"]
    metrics = {name: float(micro[key]) for name, key in METRICS.items()}
    tables = [_overall(metrics, cases), _per_type(report), _by_length(cases), _by_position(cases), *_by_evidence(cases)]
    notes = [] if micro["support"] else ["There is no gold entity in these documents, so every score is 0."]
    return Scores(metrics, _coverage(cases), tables, notes)


def _case(document: Document, prediction: Prediction) -> _Case:
    if len(prediction.answer) != len(document.fields["tags"]):
        raise ValueError(
            f"{document.origin} has {len(document.fields['tags'])} words and {len(prediction.answer)} predicted tags."
        )
    gold, predicted = (frozenset(spans(tags)) for tags in (document.fields["tags"], prediction.answer))
    return _Case(document, prediction, gold, predicted)


def _coverage(cases: Sequence[_Case]) -> float:
    """Share of the gold entities all of whose words were seen; 1 where there is none."""
    seen = [all(case.prediction.seen[span.start : span.end]) for case in cases for span in case.gold]
    return float(np.mean(seen)) if seen else 1.0


def _report(cases: Sequence[_Case]) -> Mapping[str, Mapping[str, float]]:
    """Rows by entity type and the averages: ``precision, recall, f1-score, support``."""
    pieces = [piece for case in cases for piece in _pieces(case.document.fields["tags"], case.prediction.answer)]
    gold, predicted = [piece[0] for piece in pieces], [piece[1] for piece in pieces]
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # of the libraries, about their own insides
        metric = _metric()(keep_in_memory=True, cache_dir=folder, seed=0)
        report: Mapping[str, Mapping[str, float]] = metric.compute(predictions=predicted, references=gold)
    return report


def _pieces(gold: Sequence[str], predicted: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Both taggings, cut between entities: seqeval's time grows with the square of a sequence's length."""
    start = 0
    for index in range(1, len(gold)):
        if index - start >= WORDS_PER_PIECE and gold[index][0] != "I" and predicted[index][0] != "I":
            yield gold[start:index], predicted[start:index]
            start = index
    yield gold[start:], predicted[start:]


@cache
def _metric() -> Callable[..., Any]:
    """The metric, made when it is first used: importing ``evaluate`` takes seconds."""
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
                # seqeval has no weighted average of nothing.
                nothing = {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0}
                return dict.fromkeys(AVERAGES, nothing)
            return classification_report(
                references, predictions, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
            )

    return StrictEntities


def _overall(metrics: Mapping[str, float], cases: Sequence[_Case]) -> Table:
    num_gold, _, low, high = _f1_row([_counts(case.gold, case.predicted) for case in cases])
    columns = ("entities", "gold", *METRICS, "low", "high")
    rows = [("all", num_gold, *metrics.values(), low, high)]
    return Table("overall", "Entities", columns, rows, interval_note())


def _per_type(report: Mapping[str, Mapping[str, float]]) -> Table:
    rows = [
        (name, float(row["precision"]), float(row["recall"]), float(row["f1-score"]), int(row["support"]))
        for name, row in report.items()
    ]
    columns = ("type", "precision", "recall", "f1", "support")
    return Table("per_type", "Strict scores by entity type", columns, rows, "support = gold entities")


def _by_length(cases: Sequence[_Case]) -> Table:
    rows = []
    for label, chosen in by_size([case.num_words for case in cases], LENGTH_BINS):
        counts = [_counts(cases[i].gold, cases[i].predicted) for i in chosen]
        rows.append((label, len(chosen), *_f1_row(counts)))
    columns = ("words", "documents", "entities", "f1", "low", "high")
    return Table("by_length", "F1 by length of the document", columns, rows, interval_note())


def _by_position(cases: Sequence[_Case]) -> Table:
    """By the word at which an entity starts."""
    rows = []
    for tenth in TENTHS:
        counts = [
            _counts(_starting_in(case, case.gold, tenth), _starting_in(case, case.predicted, tenth)) for case in cases
        ]
        rows.append((tenth.name, *_f1_row(counts)))
    columns = ("part of the document", "entities", "f1", "low", "high")
    return Table("by_position", "F1 by place of the entity in the document", columns, rows, interval_note())


def _starting_in(case: _Case, found: frozenset[Span], tenth: Tenth) -> frozenset[Span]:
    return frozenset(span for span in found if span.start / case.num_words in tenth)


def _counts(gold: frozenset[Span], predicted: frozenset[Span]) -> tuple[int, int, int]:
    return len(gold & predicted), len(predicted), len(gold)


def _f1_row(counts: Sequence[tuple[int, int, int]]) -> tuple[int, float | None, float | None, float | None]:
    """Gold entities, F1 and its interval; no figure where there is no gold."""
    sums = np.sum(np.asarray(counts, dtype=np.float64), axis=0)
    if not sums[2]:
        return 0, None, None, None
    interval = bootstrap(counts, f1)
    return int(sums[2]), float(f1(sums)), interval.low, interval.high


def _by_evidence(cases: Sequence[_Case]) -> list[Table]:
    """Accuracy on mentions whose type only another sentence tells, by distance; nothing where there are none."""
    rows = []
    for size in sizes(DISTANCES):
        counts = [_resolved(case, size) for case in cases]
        correct, asked = map(sum, zip(*counts, strict=True)) if counts else (0, 0)
        if asked:
            interval = bootstrap(counts, ratio)
            rows.append((size.name, asked, correct / asked, interval.low, interval.high))
    if not rows:
        return []
    columns = ("words to the evidence", "mentions", "accuracy", "low", "high")
    note = f"chance 0.25; {interval_note()}"
    return [Table("by_evidence", "Type of ambiguous mentions by distance of the evidence", columns, rows, note)]


def _resolved(case: _Case, size: Size) -> tuple[int, int]:
    """Ambiguous mentions with the right type at their first word, and all of them, within the distances."""
    gold, answer = case.document.fields["tags"], case.prediction.answer
    chosen = [p["start"] for p in case.document.fields.get("probes", ()) if p["distance"] in size]
    return sum(answer[start][2:] == gold[start][2:] for start in chosen), len(chosen)
