"""Numbers for whole documents: mean squared error, correlations and quadratic kappa, with breakdowns.

A document that was **not read** has no answer and counts as wrong as can be: as the end of the range of the training
documents that is farther from its number.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, ends, estimate, picked
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import Counts, bootstrap_weights, interval_note, ratio
from ctxlab.evaluation.sufficient.regression import STATISTIC
from ctxlab.tasks.regression import Estimated

NAME = "regression"
"""Name of the statistic."""

_INTERVAL = interval_note()


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute figures over whole documents, with breakdowns of the squared error.

    Args:
        documents: With their number as ``gold``, and ``probes`` where it depends on known sentences.
        predictions: ``Estimated`` of each, in the same order.
    """
    answers: list[Estimated] = [prediction.answer for prediction in predictions]
    values = [
        {"gold": document.fields["gold"], "predicted": _told(document, answer)}
        for document, answer in zip(documents, answers, strict=True)
    ]
    records = [ScoredRecord(d.id, d.id, {NAME: row}) for d, row in zip(documents, values, strict=True)]
    found = metrics(records)
    tables = [_overall(values), *_correlations(values, found), *_breakdowns(documents, answers, values)]
    read = float(np.mean([_could_know(answer) for answer in answers]))
    return Scores(found, read, tables=tables, notes=_notes(answers, found), records=records)


def _told(document: Document, answer: Estimated) -> float:
    if answer.number is not None:
        return answer.number
    return max((answer.low, answer.high), key=lambda end: abs(end - document.fields["gold"]))


def _could_know(answer: Estimated) -> bool:
    return all(seen for _, seen in answer.evidence) if answer.evidence else answer.num_seen > 0


def _notes(answers: Sequence[Estimated], found: Mapping[str, float]) -> list[str]:
    """Return notes on unread documents and on figures that could not be computed."""
    unread = sum(answer.number is None for answer in answers)
    notes = (
        [f"{unread:,} of {len(answers):,} documents were not read at all: each counts as far off."] if unread else []
    )
    if "pearson" not in found:
        notes.append("There is no correlation, as all numbers or all predictions are equal.")
    return notes


def _overall(values: Sequence[Mapping[str, float]]) -> Table:
    """Return the table of the mean squared error, to which baselines are added."""
    errors = [(error, 1.0) for error in _squares(values)]
    row = ("all documents", len(values), *estimate(errors, ratio, is_share=False).cells)
    return Table(
        "overall", "Squared error", columns=("answers", "documents", "mse", "low", "high"), rows=[row], note=_INTERVAL
    )


def _correlations(values: Sequence[Mapping[str, float]], found: Mapping[str, float]) -> list[Table]:
    """Return the table of the other figures, each with its interval over documents."""
    rows = [
        (name.replace("_", " "), value, *ends(bootstrap_weights(len(values), partial(_figure, values, name))))
        for name, value in found.items()
        if name != "mse"
    ]
    columns = ("figure", "value", "low", "high")
    title = "Agreement with the given numbers"
    return [Table("agreement", title, columns=columns, rows=rows, note=_INTERVAL)] if rows else []


def _squares(values: Sequence[Mapping[str, float]]) -> list[float]:
    return [(one["gold"] - one["predicted"]) ** 2 for one in values]


def _figure(values: Sequence[Mapping[str, float]], name: str, weights: Counts) -> Counts:
    return STATISTIC.figures(values, weights)[name]


def _breakdowns(
    documents: Sequence[Document], answers: Sequence[Estimated], values: Sequence[Mapping[str, float]]
) -> list[Table]:
    """Break down by length and, where known, by position of the first evidence and largest distance."""
    errors = [(error, 1.0) for error in _squares(values)]
    by: Breakdown[list[tuple[float, float]]] = Breakdown(
        ("documents", "mse", "low", "high"),
        lambda kept: (len(kept), *estimate(kept, ratio, is_share=False).cells),
        _INTERVAL,
    )
    probes = [document.fields.get("probes", ()) for document in documents]
    distances = [max((probe["distance"] for probe in row), default=None) for row in probes]
    places = [answer.evidence[0][0] if answer.evidence else None for answer in answers]
    lengths = [answer.num_tokens for answer in answers]
    cases = partial(picked, errors)
    return [
        by.table("by_length", "By length of the document", "tokens", cases(by_size(lengths, LENGTHS[:-1]))),
        *by.known("by_position", "By position of the evidence in the document", "evidence at", cases(by_part(places))),
        *by.known(
            "by_evidence", "By distance of the evidence", "words to the evidence", cases(by_size(distances, DISTANCES))
        ),
    ]
