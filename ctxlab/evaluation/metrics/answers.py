"""Answers to questions: exact match and F1 as in SQuAD, breakdowns by position in the context, and baselines.

Answers are compared by the rules of their language (``ctxlab.text.answers``): that of the record or of the task, else
the language of the context's script.

Figures are means over questions; intervals resample whole records, as questions about one text are correlated.
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
"""Baseline answers without a model, as functions of context and question."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One question and the scores of its answer."""

    group: str
    exact_match: float
    f1: float
    has_answer: bool
    seen: bool
    """Whether all of one of its gold answers was seen."""
    num_tokens: int
    evidence: int
    """First token of the first gold answer, -1 without one."""
    distance: int
    """Tokens from the question to that token."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute exact match and F1 over all questions, with breakdowns.

    Args:
        documents: One per question, with ``context``, ``question``, gold ``answers`` (empty: unanswerable) and
            ``group``.
        predictions: ``records.questions.Answer`` of each, in the same order; ``seen`` has a flag per gold answer.
    """
    cases = [_case(document, prediction) for document, prediction in zip(documents, predictions, strict=True)]
    answerable = [case for case in cases if case.has_answer]
    unanswerable = [case for case in cases if not case.has_answer]
    records = [_record(document, case) for document, case in zip(documents, cases, strict=True)]
    tables = [_overall(documents, cases), *_breakdowns(cases, answerable, unanswerable)]
    coverage = float(np.mean([case.seen for case in answerable])) if answerable else 1.0
    return Scores(metrics(records), coverage, tables, records=records)


def _record(document: Document, case: _Case) -> ScoredRecord:
    values = {"exact_match": case.exact_match, "f1": case.f1, "has_answer": case.has_answer}
    return ScoredRecord(document.id, case.group, {"answers": values})


def _case(document: Document, prediction: Prediction) -> _Case:
    answer: Answer = prediction.answer
    evidence = -1 if answer.evidence is None else answer.evidence
    exact, overlap = _compare(document, answer.text)
    return _Case(
        group=document.fields["group"],
        exact_match=exact,
        f1=overlap,
        has_answer=bool(document.fields["answers"]),
        seen=any(prediction.seen),
        num_tokens=answer.num_tokens,
        evidence=evidence,
        distance=answer.num_tokens - evidence if answer.asked_after else evidence + 1,
    )


def _compare(document: Document, answer: str) -> tuple[float, float]:
    """Return exact match and F1."""
    gold = [known["text"] for known in document.fields["answers"]]
    language = _language(document)
    overlap = OVERLAPS[document.fields.get("f1", "words")]
    return exact_match(answer, gold, language), overlap(answer, gold, language)


def _language(document: Document) -> str:
    return language_of(document.fields.get("language"), document.fields["context"])


def _overall(documents: Sequence[Document], cases: Sequence[_Case]) -> Table:
    """Return the table of the model's scores and those of the baselines."""
    rows = [("the model", *_row(_figures(cases)))]
    for name, answer in BASELINES.items():
        found = [
            (d.fields["group"], *_compare(d, answer(d.fields["context"], d.fields["question"]))) for d in documents
        ]
        rows.append((name, *_row(found)))
    languages = ", ".join(sorted({_language(document) for document in documents}))
    note = f"compared by the rules of MLQA for language {languages}; {_NOTE}"
    if documents[0].fields.get("f1", "words") != "words":
        note = f"F1 by the longest common run of words, as in CMRC 2018; {note}"
    return Table("overall", "Exact match and F1 of answers", columns=("answer", *_COLUMNS), rows=rows, note=note)


def _breakdowns(cases: Sequence[_Case], answerable: Sequence[_Case], unanswerable: Sequence[_Case]) -> list[Table]:
    """Break down by whether there is an answer, by length, and by position and distance of the first gold answer.

    The distance is counted from the start of the context where the question precedes it, else from its end.
    """
    by = Breakdown[Sequence[_Case]](_COLUMNS, lambda chosen: _row(_figures(chosen)), _NOTE)
    both = (("in the context", answerable), ("not in the context", unanswerable))
    kinds = [(label, kept) for label, kept in both if kept]
    lengths = by_size([case.num_tokens for case in cases], LENGTH_BINS)
    places = by_part([case.evidence / case.num_tokens for case in answerable])
    distances = by_size([case.distance for case in answerable], DISTANCE_BINS)
    title = "F1 by distance from the question to the answer"
    return [
        by.table("by_kind", "F1 of questions with and without an answer", "answer", kinds, drawn=""),
        by.table("by_length", "F1 by length of the context", "tokens", picked(cases, lengths)),
        by.table(
            "by_position",
            "F1 by position of the answer in the context",
            "part of the context",
            picked(answerable, places),
        ),
        by.table("by_evidence", title, "tokens to the answer", picked(answerable, distances)),
    ]


def _figures(cases: Sequence[_Case]) -> list[tuple[str, float, float]]:
    return [(case.group, case.exact_match, case.f1) for case in cases]


def _row(found: Sequence[tuple[str, float, float]]) -> tuple[int, float, float, float | None, float | None]:
    """Return number of questions, exact match, F1 and its interval, from (group, exact match, F1) of each question."""
    exact, value = np.mean([row[1:] for row in found], axis=0)
    at = mean([row[2] for row in found], [row[0] for row in found])
    return len(found), float(exact), float(value), at.low, at.high
