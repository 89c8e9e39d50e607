"""Answers to questions: exact match and F1 as SQuAD has them, where in the context they are lost, and baselines.

Figures are means over questions; intervals draw whole records, as questions about one text are alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import Document, Prediction, Scores, Table
from ctxlab.evaluation.bins import LENGTHS, Bin, by_part, by_size
from ctxlab.evaluation.sentences import first_sentence, nearest_sentence
from ctxlab.evaluation.statistics import bootstrap_mean, interval_note
from ctxlab.tasks.records.questions import Answer
from ctxlab.text.answers import exact_match, f1
from ctxlab.text.language import language_of

LENGTH_BINS = LENGTHS[1:]
"""Last token count of each bin of context lengths; the last bin is open."""

DISTANCE_BINS = (128, 512, 2048, 8192, 32768)
"""Last token count of each bin of distances between question and answer; the last bin is open."""

_COLUMNS = ("questions", "exact_match", "f1", "low", "high")

_NOTE = interval_note("records, each with all of its questions", figure="F1")

BASELINES: dict[str, Callable[[str, str], str]] = {
    "first sentence": lambda context, question: first_sentence(context),
    "BM25 sentence": nearest_sentence,
    "always no answer": lambda context, question: "",
}
"""Answers without a model, of context and question."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One question, and how well it was answered."""

    group: str
    exact_match: float
    f1: float
    has_answer: bool
    seen: bool
    """Whether one of its gold answers was seen whole."""
    num_tokens: int
    evidence: int
    """Token of the first gold answer, -1 without one."""
    distance: int
    """Tokens from the question to that one."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Exact match and F1 over all questions, with breakdowns; an answer that was not seen counts as missed.

    Args:
        documents: One a question, with ``context``, ``question``, gold ``answers`` (none: no answer) and ``group``.
        predictions: ``tasks.questions.Answer`` for each, in the same order; ``seen`` has a flag a gold answer.
    """
    cases = [_case(document, prediction) for document, prediction in zip(documents, predictions, strict=True)]
    told, untold = [case for case in cases if case.has_answer], [case for case in cases if not case.has_answer]
    metrics = {"exact_match": _mean(cases, "exact_match"), "f1": _mean(cases, "f1")}
    if told and untold:
        metrics |= {"has_answer_exact_match": _mean(told, "exact_match"), "has_answer_f1": _mean(told, "f1")}
        metrics["no_answer_accuracy"] = _mean(untold, "exact_match")
    tables = [_overall(documents, cases), _by_kind(told, untold)]
    tables += [_by_length(cases), _by_position(told), _by_evidence(told)]
    return Scores(metrics, float(np.mean([case.seen for case in told])) if told else 1.0, tables)


def _case(document: Document, prediction: Prediction) -> _Case:
    answer: Answer = prediction.answer
    evidence = -1 if answer.evidence is None else answer.evidence
    return _Case(
        document.fields["group"],
        *_compare(document, answer.text),
        bool(document.fields["answers"]),
        any(prediction.seen),
        answer.num_tokens,
        evidence,
        answer.num_tokens - evidence if answer.asked_behind else evidence + 1,
    )


def _compare(document: Document, answer: str) -> tuple[float, float]:
    """Exact match and F1."""
    gold = [known["text"] for known in document.fields["answers"]]
    language = language_of(document.fields.get("language"), document.fields["context"])
    return exact_match(answer, gold, language), f1(answer, gold, language)


def _mean(cases: Sequence[_Case], name: str) -> float:
    return float(np.mean([getattr(case, name) for case in cases]))


def _overall(documents: Sequence[Document], cases: Sequence[_Case]) -> Table:
    """The model beside answers that need none."""
    rows = [("the model", *_row(_figures(cases)))]
    for name, answer in BASELINES.items():
        found = [
            (d.fields["group"], *_compare(d, answer(d.fields["context"], d.fields["question"]))) for d in documents
        ]
        rows.append((name, *_row(found)))
    return Table("overall", "Exact match and F1 of answers", ("answer", *_COLUMNS), rows, _NOTE)


def _by_kind(told: Sequence[_Case], untold: Sequence[_Case]) -> Table:
    kinds = [("in the context", told), ("not in the context", untold)]
    rows = [(label, *_row(_figures(cases))) for label, cases in kinds if cases]
    return Table("by_kind", "F1 of questions with and without an answer", ("answer", *_COLUMNS), rows, _NOTE)


def _by_length(cases: Sequence[_Case]) -> Table:
    bins = by_size([case.num_tokens for case in cases], LENGTH_BINS)
    return _table("by_length", "F1 by length of the context", "tokens", cases, bins)


def _by_position(told: Sequence[_Case]) -> Table:
    """By the token at which the first gold answer begins."""
    bins = by_part([case.evidence / case.num_tokens for case in told])
    return _table("by_position", "F1 by place of the answer in the context", "part of the context", told, bins)


def _by_evidence(told: Sequence[_Case]) -> Table:
    """By the answer's own place where the question is in front of the context; from the end where it is behind."""
    bins = by_size([case.distance for case in told], DISTANCE_BINS)
    return _table("by_evidence", "F1 by distance from the question to the answer", "tokens to the answer", told, bins)


def _table(name: str, title: str, first: str, cases: Sequence[_Case], bins: Sequence[Bin]) -> Table:
    rows = [(label, *_row(_figures([cases[i] for i in chosen]))) for label, chosen in bins]
    return Table(name, title, (first, *_COLUMNS), rows, _NOTE)


def _figures(cases: Sequence[_Case]) -> list[tuple[str, float, float]]:
    return [(case.group, case.exact_match, case.f1) for case in cases]


def _row(found: Sequence[tuple[str, float, float]]) -> tuple[int, float, float, float | None, float | None]:
    """Questions, exact match, F1 and its interval, of (group, exact match, F1) of each question."""
    exact, mean = np.mean([row[1:] for row in found], axis=0)
    interval = bootstrap_mean([row[2] for row in found], [row[0] for row in found])
    return len(found), float(exact), float(mean), interval.low, interval.high
