"""Expressions scored by running them: accuracy, exact match, and the share that parses, with breakdowns.

An expression is right if it has the value, and the type, of the gold expression under the definitions of its own file.
So another way of writing it counts, and so does one that has the value by chance, such as the number itself; exact
match, which compares tokens, stands beside it. What cannot be parsed, or has no value within the limits of the
interpreter, is wrong.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import DISTANCES, LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, mean, picked
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.statistics import interval_note
from ctxlab.tasks.code import value_of
from ctxlab.tasks.generative.base import GeneratedText
from ctxlab.text.expressions import ExpressionError, definitions, parse, tokens

NAME = "expressions"
"""Name of the statistic."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Run all expressions and compute the figures over documents.

    Args:
        documents: With ``file`` and ``expression``, and ``probes`` where the needed definitions are known.
        predictions: ``GeneratedText`` of each, in the same order.
    """
    answers: list[GeneratedText] = [prediction.answer for prediction in predictions]
    values = [_scored(document, answer.text) for document, answer in zip(documents, answers, strict=True)]
    records = [ScoredRecord(d.id, d.id, {NAME: row}) for d, row in zip(documents, values, strict=True)]
    read = float(np.mean([all(prediction.seen) for prediction in predictions]))
    return Scores(metrics(records), read, tables=_tables(documents, answers, values), records=records)


def _scored(document: Document, text: str) -> dict[str, float]:
    known = definitions(document.fields["file"])
    found, gold = value_of(text, known), value_of(document.fields["expression"], known)
    is_right = found is not None and type(found) is type(gold) and found == gold
    parsed = _parses(text)
    return {
        "accuracy": float(is_right),
        "exact_match": float(parsed and tokens(text) == tokens(document.fields["expression"])),
        "parses": float(parsed),
    }


def _parses(text: str) -> bool:
    try:
        parse(text)
    except ExpressionError:
        return False
    return True


def _tables(
    documents: Sequence[Document], answers: Sequence[GeneratedText], values: Sequence[dict[str, float]]
) -> list[Table]:
    """Break down accuracy by length and, where known, by position and distance of the definitions."""

    def row(kept: Sequence[float]) -> tuple[object, ...]:
        return len(kept), *mean(kept, range(len(kept))).cells

    by: Breakdown[Sequence[float]] = Breakdown(("documents", "accuracy", "low", "high"), row, interval_note())
    right = [one["accuracy"] for one in values]
    cases = partial(picked, right)
    probes = [document.fields.get("probes", ()) for document in documents]
    distances = [max((probe["distance"] for probe in own), default=None) for own in probes]
    places = [answer.evidence[0][0] if answer.evidence else None for answer in answers]
    lengths = [len(answer.seen) for answer in answers]
    return [
        by.table("overall", "Accuracy by execution", "answers", [("all documents", right)], drawn=""),
        by.table("by_length", "By length of the file", "tokens", cases(by_size(lengths, LENGTHS[:-1]))),
        *by.known("by_position", "By position of the first definition", "definition at", cases(by_part(places))),
        *by.known(
            "by_evidence",
            "By distance between the definitions that are needed",
            "words between them",
            cases(by_size(distances, DISTANCES)),
        ),
    ]
