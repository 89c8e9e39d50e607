"""Yes-or-no questions about a text (BoolQ and similar files), converted for task=nli."""

from collections.abc import Iterator, Mapping
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally

ANSWERS = frozenset({"yes", "no", "true", "false"})
CONTEXTS = ("context", "passage")


def recognises(fields: Fields) -> bool:
    """Return whether there are a context and questions, all with a single answer of yes, no, true or false."""
    if _context(fields) is None or "premise" in fields:
        return False
    questions = _questions(fields)
    return bool(questions) and all(_answer(one) is not None for one in questions)


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield one record per question: the context is the premise, the question the hypothesis, the answer the label."""
    del task
    key = _context(record.fields)
    questions = _questions(record.fields)
    for index, one in enumerate(questions):
        name = record.fields.get("id")
        own = f"{name}#{one.get('id', index + 1)}" if name is not None and len(questions) > 1 else name
        pair = {"id": own, "premise": record.fields[key or ""], "hypothesis": one["question"]}
        tally.add("{n} questions answered yes or no are read as hypotheses about their contexts.")
        yield with_fields(record, **pair, label=_answer(one))


def _context(fields: Fields) -> str | None:
    return next((key for key in CONTEXTS if isinstance(fields.get(key), str)), None)


def _questions(fields: Fields) -> list[Mapping[str, Any]]:
    given = fields.get("questions", fields.get("qas"))
    if given is None:
        return [fields] if isinstance(fields.get("question"), str) else []
    return [one for one in given if isinstance(one, Mapping) and isinstance(one.get("question"), str)]


def _answer(question: Mapping[str, Any]) -> str | None:
    """Return the answer of a question as a label; None if it has no single answer of yes, no, true or false."""
    given = question.get("answer", question.get("answers"))
    if isinstance(given, Mapping):
        given = given.get("text")
    if isinstance(given, list):
        texts = {str(one.get("text") if isinstance(one, Mapping) else one).strip().casefold() for one in given}
        given = texts.pop() if len(texts) == 1 else None
    if isinstance(given, bool):
        return "yes" if given else "no"
    name = str(given).strip().casefold()
    return {"true": "yes", "false": "no"}.get(name, name) if name in ANSWERS else None


FORMAT = Format("questions answered yes or no", frozenset({"nli"}), recognises, convert)
