"""Classification of whole documents: accuracy or exact match, F1, AUROC and calibration, with breakdowns.

- **Accuracy** is the fraction of documents with the right label; **exact match** that with the right set of labels.
- **Micro-F1** counts all labels together; **macro-F1** is the mean over the classes in gold labels or predictions.
- **AUROC** is the mean over the classes that have positive and negative documents, each against the rest (for two
  classes the usual figure); left out where there is no such class.
- **Calibration error** (expected, ECE; Guo et al. 2017, arXiv:1706.04599) is the mean absolute difference of confidence
  and accuracy over 15 equal bins of the probability of the predicted label, weighted by documents. It is not computed
  for multi-label tasks.

A document that was **not read** has no answer and counts as wrong: no label is right, and its probabilities are
maximally wrong for AUROC and calibration. So an evaluation that read nothing scores 0, with a calibration error of 1.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import CONFUSION, Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.auroc import auroc
from ctxlab.evaluation.averages import averages
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, Estimate, ends, estimate
from ctxlab.evaluation.labels import Labelled, calibration_error, macro_f1, mean_auroc, weighted_f1
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import bootstrap_weights, f1, interval_note, ratio
from ctxlab.tasks.forms.document_classifier import Verdict

LENGTH_BINS = LENGTHS[:-1]
"""Last token count of each bin of document lengths; the last bin is open."""

NOT_READ = "(not read)"
"""What a document was given as of which no part was read."""

MOST_CONFUSED = 20
"""Number of classes up to which all pairs are shown; with more, as many pairs, the most frequent confusions."""

_INTERVAL = interval_note()


@dataclass(frozen=True, slots=True, eq=False)
class _Cases:
    """All documents of a split."""

    documents: Sequence[Document]
    verdicts: Sequence[Verdict]
    several: bool
    labelled: Labelled


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute figures over whole documents, with breakdowns; a document that was not read counts as wrong.

    Args:
        documents: With ``gold`` labels, and ``probes`` where the label depends on known sentences.
        predictions: ``Verdict`` of each, in the same order.
    """
    verdicts: list[Verdict] = [prediction.answer for prediction in predictions]
    several = verdicts[0].several
    name = "multi_label" if several else "single_label"
    values = [_values(document, verdict) for document, verdict in zip(documents, verdicts, strict=True)]
    records = [ScoredRecord(d.id, d.id, {name: row}) for d, row in zip(documents, values, strict=True)]
    cases, found = _Cases(documents, verdicts, several, Labelled.of(values)), metrics(records)
    tables = [_overall(cases, found), _per_class(cases.labelled), *_confusion(cases), *_breakdowns(cases)]
    return Scores(found, _coverage(cases), tables=tables, notes=_notes(cases, found), records=records)


def _values(document: Document, verdict: Verdict) -> dict[str, object]:
    """Return the values of a document; see ``evaluation.labels``."""
    return {
        "gold": list(document.fields["gold"]),
        "predicted": list(verdict.chosen),
        "probabilities": dict(zip(verdict.classes, verdict.probabilities.tolist(), strict=True)),
        "read": verdict.is_read,
    }


def _notes(cases: _Cases, figures: Mapping[str, object]) -> list[str]:
    """Return notes on unread documents and on figures that could not be computed."""
    notes = []
    unread = sum(not verdict.is_read for verdict in cases.verdicts)
    if unread:
        notes.append(f"{unread:,} of {len(cases.verdicts):,} documents were not read at all: each counts as wrong.")
    if "auroc" not in figures:
        notes.append("There is no AUROC, as no class has both documents with it and documents without it.")
    return notes


def _coverage(cases: _Cases) -> float:
    """Return the fraction of documents of which all evidence (or, where unknown, at least a part) was read."""
    return float(np.mean([_could_know(verdict) for verdict in cases.verdicts]))


def _could_know(verdict: Verdict) -> bool:
    return all(seen for _, seen in verdict.evidence) if verdict.evidence else verdict.is_read


def _overall(cases: _Cases, found: Mapping[str, float]) -> Table:
    """Return the table of each figure with its interval over documents."""
    labelled = cases.labelled
    over = {
        "accuracy": (labelled.right, ratio),
        "exact_match": (labelled.right, ratio),
        "macro_f1": (labelled.by_class, macro_f1),
        "micro_f1": (labelled.of_all_classes, f1),
        "calibration_error": (labelled.calibration, calibration_error),
    }
    rows = []
    for name, value in found.items():
        if name == "auroc":
            at = bootstrap_weights(len(labelled.correct), lambda weights: mean_auroc(labelled, weights))
            rows.append(("auroc", value, *ends(at)))
        else:
            rows.append((name.replace("_", " "), *estimate(*over[name]).cells))
    return Table("overall", "Over all documents", columns=("figure", "value", "low", "high"), rows=rows, note=_INTERVAL)


def _per_class(labelled: Labelled) -> Table:
    rows = []
    for index, name in enumerate(labelled.classes):
        counts, gold_column = labelled.counts[:, index], labelled.gold[:, index]
        correct, given, gold = counts.sum(axis=0)
        area = float(auroc(labelled.probabilities[:, index], gold_column, np.ones((1, len(counts))))[0])
        precision, recall = (correct / total if total else 0.0 for total in (given, gold))
        shown = None if np.isnan(area) else area
        at = estimate(counts, f1).cells
        rows.append((name, int(gold), int(given), float(precision), float(recall), *at, shown))
    _, given, gold = labelled.counts.sum(axis=(0, 1))
    over = ((labelled.of_all_classes, f1), (labelled.by_class, macro_f1), (labelled.by_class, weighted_f1))
    for one, (counts, figure) in zip(averages(labelled.counts.sum(axis=0)), over, strict=True):
        at = estimate(counts, figure).cells
        rows.append((one.name, int(gold), int(given), one.precision, one.recall, *at, None))
    columns = ("class", "documents", "given", "precision", "recall", "f1", "low", "high", "auroc")
    return Table("per_class", "By class", columns=columns, rows=rows, note=f"of F1 {_INTERVAL}")


def _confusion(cases: _Cases) -> list[Table]:
    """Return the number of documents for each right and given class; none where a document has several labels."""
    if cases.several:
        return []
    pairs = Counter(
        (document.fields["gold"][0], verdict.chosen[0] if verdict.is_read else NOT_READ)
        for document, verdict in zip(cases.documents, cases.verdicts, strict=True)
    )
    classes, columns = cases.labelled.classes, ("class", "given as", "documents")
    given = (*classes, NOT_READ) if any(answer == NOT_READ for _, answer in pairs) else classes
    rows = [(right, answer, pairs[right, answer]) for right in classes for answer in given]
    if len(classes) > MOST_CONFUSED:
        rows = sorted((row for row in rows if row[0] != row[1] and row[2]), key=lambda row: -row[2])[:MOST_CONFUSED]
        return [Table("confusion", "Most frequent confusions", columns=columns, rows=rows)]
    return [Table("confusion", "Confusion matrix", columns=columns, rows=rows, drawn=CONFUSION)]


def _breakdowns(cases: _Cases) -> list[Table]:
    """Break down by length and, where known, by position of the first evidence and largest evidence distance."""
    columns = ("documents", "f1" if cases.several else "accuracy", "low", "high")
    by = Breakdown[list[int]](columns, lambda chosen: (len(chosen), *_estimate(cases, chosen).cells), _INTERVAL)
    probes = [document.fields.get("probes", ()) for document in cases.documents]
    lengths = by_size([verdict.num_tokens for verdict in cases.verdicts], LENGTH_BINS)
    places = by_part([verdict.evidence[0][0] if verdict.evidence else None for verdict in cases.verdicts])
    distances = by_size([max((probe["distance"] for probe in row), default=None) for row in probes], DISTANCES)
    return [
        by.table("by_length", "By length of the document", "tokens", lengths),
        *by.known("by_position", "By position of the evidence in the document", "evidence at", places),
        *by.known(
            "by_evidence", "By distance of the evidence", "words to the evidence", distances, chance=_chance(cases)
        ),
    ]


def _chance(cases: _Cases) -> float | None:
    """Return the accuracy of a random label; None in multi-label tasks."""
    return None if cases.several else 1 / len(cases.labelled.classes)


def _estimate(cases: _Cases, chosen: list[int]) -> Estimate:
    """Return the figure of a breakdown: accuracy, or micro-F1 in multi-label tasks."""
    if cases.several:
        return estimate(cases.labelled.of_all_classes[chosen], f1)
    return estimate(cases.labelled.right[chosen], ratio)
