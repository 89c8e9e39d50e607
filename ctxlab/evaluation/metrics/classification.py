"""How well whole documents are labelled: accuracy or exact match, F1, AUROC and calibration, with breakdowns.

- **Accuracy** is the share of documents with the right label; **exact match** that with the right set of labels.
- **Micro-F1** counts all labels together; **macro-F1** is the mean over the classes that occur in gold or answers.
- **AUROC** is the mean over the classes that some documents have and others lack, each against the rest (of two classes
  it is the usual figure); left out where there is no such class.
- **Calibration error** (expected, ECE; Guo et al. 2017, arXiv:1706.04599): over 15 equal bins of the probability of the
  chosen label, the mean distance from accuracy, weighted by documents. Not for several labels a document.

A document that was **not read** has no answer and counts as wrong: no label is right, and AUROC and calibration take it
as if the model had been sure of everything but the truth. So an evaluation of nothing scores 0, and its calibration
error is 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ctxlab.core.types import Document, Prediction, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, Bin, by_part, by_size
from ctxlab.evaluation.metrics.auroc import auroc
from ctxlab.evaluation.statistics import Counts, Interval, bootstrap, bootstrap_weights, f1, interval_note, ratio
from ctxlab.tasks.forms.document_classifier import Verdict

LENGTH_BINS = LENGTHS[:-1]
"""Last token count of each bin of document lengths; the last bin is open."""

CALIBRATION_BINS = 15

TRUE, GIVEN, GOLD = range(3)
"""Columns of what a document adds to a class: right labels, labels given, gold labels."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cases:
    """All documents of a split. N documents, C classes."""

    documents: Sequence[Document]
    verdicts: Sequence[Verdict]
    classes: tuple[str, ...]
    several: bool
    counts: Counts
    """(N, C, 3)"""
    probabilities: Counts
    """(N, C), of documents that were not read -1 for what is true and 2 for all else: surer than sure."""
    right: Counts
    """(N,) 1 where the whole answer is right."""

    @property
    def gold(self) -> Counts:
        """(N, C)"""
        return self.counts[..., GOLD]


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Figures over whole documents, with breakdowns; a document that was not read counts as wrong.

    Args:
        documents: With ``gold`` labels, and ``probes`` where the label hangs on known sentences.
        predictions: ``Verdict`` of each, in the same order.
    """
    cases = _cases(documents, [prediction.answer for prediction in predictions])
    figures = {name: figure for name, figure in _figures(cases).items() if figure is not None}
    tables = [_overall(figures), _per_class(cases), _by_length(cases), *_by_position(cases), *_by_evidence(cases)]
    metrics = {name: value for name, (value, _) in figures.items()}
    return Scores(metrics, _coverage(cases), tables, _notes(cases, figures))


def _cases(documents: Sequence[Document], verdicts: Sequence[Verdict]) -> _Cases:
    classes, several = verdicts[0].classes, verdicts[0].several
    gold = np.asarray([[name in document.fields["gold"] for name in classes] for document in documents], np.float64)
    given = np.asarray([[name in verdict.chosen for name in classes] for verdict in verdicts], np.float64)
    read = np.asarray([verdict.is_read for verdict in verdicts])
    told = np.stack([verdict.probabilities for verdict in verdicts]).astype(np.float64)
    probabilities = np.where(read[:, None], told, 2 - 3 * gold)
    counts = np.stack([gold * given, given, gold], axis=-1)
    right = (read & (gold == given).all(axis=1)).astype(np.float64)
    return _Cases(documents, verdicts, classes, several, counts, probabilities, right)


def _notes(cases: _Cases, figures: Mapping[str, object]) -> list[str]:
    """Loud where something was not read, or a figure could not be made."""
    notes = []
    unread = sum(not verdict.is_read for verdict in cases.verdicts)
    if unread:
        notes.append(f"{unread:,} of {len(cases.verdicts):,} documents were not read at all: each counts as wrong.")
    if "auroc" not in figures:
        notes.append("There is no AUROC, as no class is had by some documents and lacked by others.")
    return notes


def _coverage(cases: _Cases) -> float:
    """Share of the documents whose evidence was read whole; where none is known, of those of which a part was read."""
    return float(np.mean([_could_know(verdict) for verdict in cases.verdicts]))


def _could_know(verdict: Verdict) -> bool:
    return all(seen for _, seen in verdict.evidence) if verdict.evidence else verdict.is_read


def _figures(cases: _Cases) -> dict[str, tuple[float, Interval] | None]:
    """Each figure with its interval over documents."""
    ones = np.stack([cases.right, np.ones(len(cases.right))], axis=-1)
    flat = cases.counts.reshape(len(cases.counts), -1)
    figures = {
        "exact_match" if cases.several else "accuracy": _figure(ones, ratio),
        "macro_f1": _figure(flat, macro_f1),
        "micro_f1": _figure(cases.counts.sum(axis=1), micro_f1),
        "auroc": _auroc(cases),
    }
    if not cases.several:
        figures["calibration_error"] = _figure(_calibration(cases), calibration_error)
    return figures


def _figure(counts: Counts, statistic: Callable[[Counts], Counts]) -> tuple[float, Interval]:
    return float(statistic(counts.sum(axis=0)[None])[0]), bootstrap(counts, statistic)


def micro_f1(sums: Counts) -> Counts:
    """F1 of (right, given, gold) over all classes; (…, 3) to (…)."""
    return f1(sums)


def macro_f1(sums: Counts) -> Counts:
    """Mean of the F1 of the classes that occur; (…, 3 C) to (…)."""
    by_class = sums.reshape(*sums.shape[:-1], -1, 3)
    occurs = by_class[..., GIVEN] + by_class[..., GOLD] > 0
    return ratio(np.stack([(f1(by_class) * occurs).sum(axis=-1), occurs.sum(axis=-1)], axis=-1))


def _calibration(cases: _Cases) -> Counts:
    """(N, 3 · bins) of each document at the bin of its confidence: 1, confidence, right."""
    confidence = cases.probabilities.max(axis=1).clip(0, 1)
    # Bins are open below and closed above, as in the paper.
    place = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    table = np.zeros((len(confidence), CALIBRATION_BINS, 3))
    table[np.arange(len(place)), place] = np.stack([np.ones(len(place)), confidence, cases.right], axis=-1)
    return table.reshape(len(table), -1)


def calibration_error(sums: Counts) -> Counts:
    """Mean distance of confidence from accuracy; (…, 3 · bins) to (…)."""
    bins = sums.reshape(*sums.shape[:-1], CALIBRATION_BINS, 3)
    gaps = np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1)
    return ratio(np.stack([gaps, bins[..., 0].sum(axis=-1)], axis=-1))


def _auroc(cases: _Cases) -> tuple[float, Interval] | None:
    """Mean over classes, None where no class tells documents apart."""
    num = len(cases.gold)
    told = [i for i in range(len(cases.classes)) if 0 < cases.gold[:, i].sum() < num]
    if not told:
        return None
    statistic = partial(_mean_auroc, [(cases.probabilities[:, i], cases.gold[:, i]) for i in told])
    return float(statistic(np.ones((1, num)))[0]), bootstrap_weights(num, statistic)


def _mean_auroc(columns: Sequence[tuple[Counts, Counts]], weights: Counts) -> Counts:
    """Mean over the classes that a resample has and lacks, of weights (R, N); NaN where there is none."""
    areas = np.stack([auroc(scores, gold, weights) for scores, gold in columns])
    known = ~np.isnan(areas)
    total, count = np.where(known, areas, 0).sum(axis=0), known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _overall(figures: Mapping[str, tuple[float, Interval]]) -> Table:
    rows = [(name.replace("_", " "), value, at.low, at.high) for name, (value, at) in figures.items()]
    return Table("overall", "Over all documents", ("figure", "value", "low", "high"), rows, _INTERVAL)


def _per_class(cases: _Cases) -> Table:
    rows = []
    for index, name in enumerate(cases.classes):
        counts = cases.counts[:, index]
        right, given, gold = counts.sum(axis=0)
        value, at = _figure(counts, f1)
        gold_column = cases.gold[:, index]
        area = float(auroc(cases.probabilities[:, index], gold_column, np.ones((1, len(counts))))[0])
        precision, recall = (right / total if total else 0.0 for total in (given, gold))
        shown = None if np.isnan(area) else area
        rows.append((name, int(gold), int(given), float(precision), float(recall), value, at.low, at.high, shown))
    columns = ("class", "documents", "given", "precision", "recall", "f1", "low", "high", "auroc")
    return Table("per_class", "By class", columns, rows, f"of F1 {_INTERVAL}")


def _row(cases: _Cases, chosen: list[int]) -> tuple[int, float, float | None, float | None]:
    """Documents, and the score of a breakdown with its interval: accuracy, or micro-F1 where there are several."""
    if cases.several:
        value, at = _figure(cases.counts[chosen].sum(axis=1), micro_f1)
    else:
        right = cases.right[chosen]
        value, at = _figure(np.stack([right, np.ones(len(right))], axis=-1), ratio)
    return len(chosen), value, at.low, at.high


def _by_length(cases: _Cases) -> Table:
    bins = by_size([verdict.num_tokens for verdict in cases.verdicts], LENGTH_BINS)
    return _table("by_length", "By length of the document", "tokens", cases, bins)


def _by_position(cases: _Cases) -> list[Table]:
    """By the first piece of evidence, where it is known."""
    bins = by_part([verdict.evidence[0][0] if verdict.evidence else None for verdict in cases.verdicts])
    title = "By place of the evidence in the document"
    return [_table("by_position", title, "evidence at", cases, bins)] if bins else []


def _by_evidence(cases: _Cases) -> list[Table]:
    """By the largest distance that has to be bridged, where it is known."""
    probes = [document.fields.get("probes", ()) for document in cases.documents]
    bins = by_size([max((probe["distance"] for probe in row), default=None) for row in probes], DISTANCES)
    return [_table("by_evidence", "By distance of the evidence", "words to the evidence", cases, bins)] if bins else []


def _table(name: str, title: str, first: str, cases: _Cases, bins: Sequence[Bin]) -> Table:
    columns = (first, "documents", "f1" if cases.several else "accuracy", "low", "high")
    return Table(name, title, columns, [(label, *_row(cases, chosen)) for label, chosen in bins], _INTERVAL)


_INTERVAL = interval_note()
