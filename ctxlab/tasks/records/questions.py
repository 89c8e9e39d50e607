"""Checks records of questions about texts (SQuAD's format, or one question per record) and locates their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.shape import LabelledSpan, Shape
from ctxlab.core.types import Document, Encoded
from ctxlab.tasks.records.fields import kind, missing, nearest
from ctxlab.tasks.records.texts import checked_text, texts_of
from ctxlab.tasks.text.encoding import Pieces
from ctxlab.text.answers import OVERLAPS
from ctxlab.text.units import find_words

YES_NO = frozenset({"yes", "no", "true", "false"})
"""Answers to yes-no questions, which mostly do not occur in the context."""

SHAPE = Shape("context", texts="text_starts", spans=("answers",), fixed=True)
"""Where a document of a question has its text: in its context, in which nothing of an answer may change."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question."""

    text: str
    """Empty where the context has no answer."""
    start: int | None
    """First character in the context; None without an answer."""
    end: int | None
    """Index after the last character."""
    score: float | None
    """Confidence; None where nothing was seen.

    For an extracted span, the score of the best span minus that of "no answer", also where it is below the threshold;
    for generated text, its mean log probability (nats).
    """
    num_tokens: int
    """Tokens of the context."""
    evidence: int | None
    """Token of the context at which the first gold answer begins; None where there is none."""
    asked_after: bool = False
    """Whether the question comes after the context, rather than before it."""


@dataclass(slots=True)
class Mended:
    """Counts of the corrections in the questions of all records."""

    moved: int = 0
    """Answers that were not at the position that the record gives."""
    plausible: int = 0
    """Questions with answers that the record calls impossible."""

    def notes(self) -> list[str]:
        """Return the notes for the report."""
        found = []
        if self.moved:
            found.append(
                f"{self.moved} answers are not in the context at their answer_start: "
                "each was moved to the only place where its text occurs."
            )
        if self.plausible:
            found.append(
                f"{self.plausible} questions have is_impossible=true and answers, which are only plausible: "
                "they count as questions without an answer."
            )
        return found


class QuestionReader:
    """Reads the records of all forms of the task, and counts what it corrected."""

    def __init__(self, context_field: str, notes: list[str]) -> None:
        """Store the field of the context, and the list to which notes for the report are added."""
        self._context_field, self._notes = context_field, notes
        self._mended = Mended()

    def read(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a context and all questions about it; answers at a wrong position are moved where it is unambiguous."""
        name = str(record.get("id", origin))
        texts = texts_of(record, self._context_field, option="task.context_field", origin=origin, task="qa")
        before = self._mended.notes()
        questions = questions_of(
            record, name, context=texts.text, starts=texts.bodies, origin=origin, gold=gold, mended=self._mended
        )
        self._update_notes(before)
        where = {"text_starts": texts.starts, **texts.fields}
        return Document(name, {"context": texts.text, **where, "questions": questions}, origin)

    def _update_notes(self, before: Sequence[str]) -> None:
        """Replace the notes about corrections by those with the current counts."""
        now = self._mended.notes()
        if list(before) == now:
            return
        for note in before:
            if note in self._notes:
                self._notes.remove(note)
        self._notes.extend(now)


def checked_f1(name: str) -> str:
    """Return ``task.f1``, a key of ``ctxlab.text.answers.OVERLAPS``; raises UserError where it is not one."""
    if name not in OVERLAPS:
        raise UserError(f"task.f1={name} is not one of {', '.join(OVERLAPS)}.")
    return name


def one_a_question(document: Document, f1: str = "words") -> list[Document]:
    """Return one document per question; ``group`` is the record's id, and ``f1`` is how answers are compared."""
    kept = ("context", "text_starts", "text_bodies")
    shared: dict[str, Any] = {name: document.fields[name] for name in kept if name in document.fields}
    if f1 != "words":
        shared["f1"] = f1
    return [
        Document(
            asked["id"],
            {**shared, "group": document.id, "question": asked["question"], "answers": asked["answers"]},
            document.origin,
        )
        for asked in document.fields["questions"]
    ]


def answer_spans(document: Document) -> list[LabelledSpan]:
    """Return the gold answers of a question in the order of the context; alternatives may overlap."""
    found = {(answer["start"], answer["end"]) for answer in document.fields["answers"]}
    return [LabelledSpan(start, end, "answer") for start, end in sorted(found)]


def answer_tokens(text: Pieces | Encoded, start: int, end: int) -> tuple[int, int]:
    """Return the first and last token of the characters ``start`` to ``end`` (not included)."""
    first = min(int(np.searchsorted(text.ends, start, side="right")), len(text.ends) - 1)
    last = int(np.searchsorted(text.starts, end, side="left")) - 1
    return first, max(first, last)


def drawn_stretch(
    num_tokens: int, answer: tuple[int, int] | None, length: int | None, no_answer_share: float, seed: int
) -> slice | None:
    """Draw ``length`` tokens of a context: around the answer or, with probability ``no_answer_share``, anywhere.

    In a long context nearly all windows have no answer; with stretches an epoch sees fewer of them (as Alberti et al.
    2019, arXiv:1901.08634, who keep one in fifty windows without the answer; here they are drawn anew every epoch).

    Args:
        num_tokens: Tokens of the context.
        answer: Its first and last token, None where there is none.
        length: Tokens of the stretch; None for all.
        no_answer_share: Probability of a stretch anywhere.
        seed: Seed of the draw.

    Returns:
        The tokens of the stretch; None for the whole context.
    """
    if length is None or num_tokens <= length:
        return None
    random = np.random.default_rng(seed)
    first, last = 0, num_tokens - length
    if answer is not None and random.random() >= no_answer_share:
        last = min(last, answer[0])
        first = min(max(first, answer[1] + 1 - length), last)
    start = int(random.integers(first, last + 1))
    return slice(start, start + length)


PER_TOKEN = ("input_ids", "word_ids", "labels", "marks", "starts", "ends", "terms", "numbers")
"""Fields of ``Encoded`` with one value per token, which are sliced together."""


def questions_of(
    record: Mapping[str, Any],
    name: str,
    context: str,
    starts: Sequence[int],
    origin: str,
    *,
    gold: bool,
    mended: Mended,
) -> list[dict[str, Any]]:
    """Return ``id, question, answers`` of each question about ``context``; an answer is ``text, start, end``.

    Args:
        record: A raw record.
        name: Its id; questions of a list are called ``<name>#<their id>``.
        context: The context, from ``texts_of``.
        starts: First character of each text in it, after its title.
        origin: Place of the record, for messages.
        gold: Whether answers are needed.
        mended: Counters of corrections, which are updated.

    Raises:
        UserError: Something is missing, empty, of the wrong type, named twice, or not in the context.
    """
    if record.get("questions") is None:
        given, places = [_flat(record, origin)], [""]
    else:
        given = _list(record["questions"], "questions", origin)
        places = [f"questions[{index}]." for index in range(len(given))]
        if not given:
            raise UserError(f"The field 'questions' of {origin} is an empty list: give at least one question.")
    found, seen = [], dict[str, str]()
    for index, (question, place) in enumerate(zip(given, places, strict=True)):
        if not isinstance(question, Mapping):
            raise UserError(
                f"The field '{place[:-1]}' of {origin} is {kind(question)}: "
                'give {"id": …, "question": …, "answers": […]}.'
            )
        own = _question_id(question, index) if place else ""
        if own in seen:
            raise UserError(
                f"The id '{own}' of '{place[:-1]}' of {origin} is already that of '{seen[own]}': "
                "give each question its own id."
            )
        seen[own] = place[:-1]
        if "question" not in question:
            raise UserError(
                f"'{place[:-1]}' of {origin} has no field 'question', only {', '.join(question) or 'nothing'}: "
                "give the question."
            )
        checked_text(question["question"], f"{place}question", origin)
        answers = (
            _answers(question, place, context=context, starts=starts, origin=origin, mended=mended) if gold else []
        )
        identifier = f"{name}#{own}" if place else name
        found.append({"id": identifier, "question": question["question"], "answers": answers})
    return found


def _flat(record: Mapping[str, Any], origin: str) -> Mapping[str, Any]:
    if "question" in record:
        return record
    advice = f"rename '{nearest(record, 'questions')}' if it contains them"
    raise missing(record, "questions", origin=origin, task="qa", also=" or 'question'", advice=advice)


def _question_id(question: Mapping[str, Any], index: int) -> str:
    given = question.get("id")
    return str(index + 1) if given is None or given == "" else str(given)


def _answers(
    question: Mapping[str, Any], place: str, context: str, starts: Sequence[int], origin: str, mended: Mended
) -> list[dict[str, Any]]:
    given = question.get("answers", question.get("answer"))
    if _is_impossible(question, place, origin):
        mended.plausible += bool(given if not isinstance(given, Mapping) else any(given.values()))
        return []
    if given is None:
        raise UserError(
            f"'{place}answers' of {origin} is missing: give a list of answers, an empty one where the text has none."
        )
    return [
        _anchored(answer, f"{place}answers[{index}]", context=context, starts=starts, origin=origin, mended=mended)
        for index, answer in enumerate(_rows(given, f"{place}answers", origin))
    ]


def _is_impossible(question: Mapping[str, Any], place: str, origin: str) -> bool:
    """Whether the question is marked as in SQuAD 2: its answers are only plausible."""
    value = question.get("is_impossible")
    if value is not None and not isinstance(value, bool | np.bool_) and value not in (0, 1):
        raise UserError(f"The field '{place}is_impossible' of {origin} is {value!r}: give true or false.")
    return bool(value)


def _rows(answers: Any, place: str, origin: str) -> list[Any]:
    """Return answers as a list of mappings; data sets of the hub have a mapping of lists, others one or more texts."""
    if isinstance(answers, bool):
        raise _yes_or_no(answers, place, origin)
    if isinstance(answers, str):
        answers = [answers]
    if isinstance(answers, Mapping) and isinstance(answers.get("text"), str):
        answers = [answers]
    if not isinstance(answers, Mapping):
        return [{"text": one} if isinstance(one, str) else one for one in _list(answers, place, origin)]
    columns = {name: _list(values, f"{place}.{name}", origin) for name, values in answers.items()}
    if len({len(values) for values in columns.values()}) > 1:
        raise UserError(f"The lists in '{place}' of {origin} differ in length: give one entry an answer in each.")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _yes_or_no(answer: Any, place: str, origin: str) -> UserError:
    return UserError(
        f"The answer {answer!r} in '{place}' of {origin} is yes or no, and task=qa extracts words of the context: use "
        "ctxlab train task=nli with this file, which takes the context as premise, the question as hypothesis and the "
        "answer as label."
    )


def _anchored(
    answer: Any, place: str, context: str, starts: Sequence[int], origin: str, mended: Mended
) -> dict[str, Any]:
    """Return the answer with its offsets in the context; a wrong position is moved to the only occurrence."""
    if not isinstance(answer, Mapping) or "text" not in answer:
        raise UserError(f'The field \'{place}\' of {origin} is {answer!r}: give {{"text": …, "answer_start": …}}.')
    text = answer["text"]
    checked_text(text, f"{place}.text", origin)
    start = _given_start(answer, place, starts, origin)
    if start is None or context[start : start + len(text)] != text:
        if text.strip().casefold() in YES_NO and (start is None or not _words(text, context)):
            raise _yes_or_no(text, place, origin)
        found = _only_place(text, context)
        if found is None:
            where = "has no answer_start" if start is None else f"is not at its answer_start={answer['answer_start']}"
            times = "more than once" if text in context else "nowhere"
            raise UserError(
                f"The answer {text[:60]!r} in '{place}' of {origin} {where}, and its text occurs {times} in the "
                "context: give the character at which it begins."
            )
        mended.moved += start is not None
        start = found
    return {"text": text, "start": start, "end": start + len(text)}


def _words(text: str, context: str) -> list[int]:
    """Return where ``text`` occurs in ``context`` as whole words."""
    return [start for start, end in find_words(context, text) if context[start:end] == text]


def _only_place(text: str, context: str) -> int | None:
    """Return the position of ``text`` where it is unique: as whole words, or else as any substring."""
    words = _words(text, context)
    if words:
        return words[0] if len(words) == 1 else None
    first = context.find(text)
    return None if first < 0 or context.find(text, first + 1) >= 0 else first


def _given_start(answer: Mapping[str, Any], place: str, starts: Sequence[int], origin: str) -> int | None:
    """Return the first character in the joined context; ``context`` is the text that ``answer_start`` counts in."""
    start = answer.get("answer_start")
    if start is None or start == -1:  # -1 is "not known" (DuReader)
        return None
    text = answer.get("context", 0)
    for name, value in (("answer_start", start), ("context", text)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise UserError(f"The field '{place}.{name}' of {origin} is {value!r}: give a count from 0 on.")
    if text >= len(starts):
        raise UserError(
            f"The field '{place}.context' of {origin} is {text}, and there are {len(starts)} texts, counted from 0: "
            f"give {len(starts) - 1} or less."
        )
    return starts[int(text)] + int(start)


def _list(value: Any, place: str, origin: str) -> list[Any]:
    if not isinstance(value, list | tuple | np.ndarray):
        raise UserError(f"The field '{place}' of {origin} is {kind(value)}: give a list.")
    return list(value)
