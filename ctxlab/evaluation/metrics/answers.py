"""Answers to questions: exact match and F1 as SQuAD has them, where in the context they are lost, and baselines.

Answers are compared by the rules of their language (``ctxlab.text.answers``): that of the record or of the task, else
the one that the script of the context stands for.

Figures are means over questions; intervals draw whole records, as questions about one text are alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import Document, Prediction, ScoredRecord, Scores, Table
from ctxlab.evaluation.bins import LENGTHS, by_part, by_size
from ctxlab.evaluation.breakdown import Breakdown, mean, picked
from ctxlab.evaluation.scores import metrics
from ctxlab.evaluation.sentences import first_sentence, nearest_sentence
from ctxlab.evaluation.statistics import interval_note
from ctxlab.tasks.records.questions import Answer
from ctxlab.text.answers import OVERLAPS, exact_match
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
    records = [_record(document, case) for document, case in zip(documents, cases, strict=True)]
    tables = [_overall(documents, cases), *_breakdowns(cases, told, untold)]
    coverage = float(np.mean([case.seen for case in told])) if told else 1.0
    return Scores(metrics(records), coverage, tables, records=records)


def _record(document: Document, case: _Case) -> ScoredRecord:
    values = {"exact_match": case.exact_match, "f1": case.f1, "has_answer": case.has_answer}
    return ScoredRecord(document.id, case.group, {"answers": values})


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
        answer.num_tokens - evidence if answer.asked_after else evidence + 1,
    )


def _compare(document: Document, answer: str) -> tuple[float, float]:
    """Exact match and F1."""
    gold = [known["text"] for known in document.fields["answers"]]
    language = _language(document)
    overlap = OVERLAPS[document.fields.get("f1", "words")]
    return exact_match(answer, gold, language), overlap(answer, gold, language)


def _language(document: Document) -> str:
    return language_of(document.fields.get("language"), document.fields["context"])


def _overall(documents: Sequence[Document], cases: Sequence[_Case]) -> Table:
    """The model beside answers that need none."""
    rows = [("the model", *_row(_figures(cases)))]
    for name, answer in BASELINES.items():
        found = [
            (d.fields["group"], *_compare(d, answer(d.fields["context"], d.fields["question"]))) for d in documents
        ]
        rows.append((name, *_row(found)))
    languages = ", ".join(sorted({_language(document) for document in documents}))
    note = f"compared by the rules of MLQA for {languages}; {_NOTE}"
    if documents[0].fields.get("f1", "words") != "words":
        note = f"F1 by the longest run in common, as CMRC 2018 has it; {note}"
    return Table("overall", "Exact match and F1 of answers", ("answer", *_COLUMNS), rows, note)


def _breakdowns(cases: Sequence[_Case], told: Sequence[_Case], untold: Sequence[_Case]) -> list[Table]:
    """By whether there is an answer, length, and place and distance of the first gold answer.

    The distance is the answer's own place where the question stands before the context, else that from its end.
    """
    by = Breakdown[Sequence[_Case]](_COLUMNS, lambda chosen: _row(_figures(chosen)), _NOTE)
    kinds = [(label, kept) for label, kept in (("in the context", told), ("not in the context", untold)) if kept]
    lengths = by_size([case.num_tokens for case in cases], LENGTH_BINS)
    places = by_part([case.evidence / case.num_tokens for case in told])
    distances = by_size([case.distance for case in told], DISTANCE_BINS)
    title = "F1 by distance from the question to the answer"
    return [
        by.table("by_kind", "F1 of questions with and without an answer", "answer", kinds, drawn=""),
        by.table("by_length", "F1 by length of the context", "tokens", picked(cases, lengths)),
        by.table(
            "by_position", "F1 by place of the answer in the context", "part of the context", picked(told, places)
        ),
        by.table("by_evidence", title, "tokens to the answer", picked(told, distances)),
    ]


def _figures(cases: Sequence[_Case]) -> list[tuple[str, float, float]]:
    return [(case.group, case.exact_match, case.f1) for case in cases]


def _row(found: Sequence[tuple[str, float, float]]) -> tuple[int, float, float, float | None, float | None]:
    """Questions, exact match, F1 and its interval, of (group, exact match, F1) of each question."""
    exact, value = np.mean([row[1:] for row in found], axis=0)
    at = mean([row[2] for row in found], [row[0] for row in found])
    return len(found), float(exact), float(value), at.low, at.high
