"""Checks the records of ``task=probe``, and the answers to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Encoded, Merged
from ctxlab.tasks.records.evidence import evidence_tokens
from ctxlab.tasks.records.fields import check_characters, kind, lookalike, text_of
from ctxlab.text.units import num_words

BETWEEN = ", "
"""Separator of several answers."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the question as plain text: chosen, marked or generated."""

    text: str
    """Empty where nothing was read."""
    num_tokens: int
    """Length of the document in tokens of the model."""
    num_choices: int = 0
    """Number of answers that it was chosen from; 0 for open answers."""


def probe_fields(record: Mapping[str, Any], text_field: str, origin: str, *, gold: bool) -> dict[str, Any]:
    """Return the checked ``text, question, choices, spans, all, length, depth, asked``, with ``gold`` also ``answers``.

    ``asked`` is the number of wanted answers. A text without ``length`` gets its number of words, rounded up to a power
    of two.

    Args:
        record: A raw record.
        text_field: Its field with the text.
        origin: Place of the record, for messages.
        gold: Whether it must have answers.
    """
    text = text_of(record, text_field, option="task.text_field", origin=origin, task="probe")
    question = _question(record, origin)
    answers = _texts(record, "answers", origin) if gold else []
    fields: dict[str, Any] = {
        "text": text,
        "question": question,
        "choices": _texts(record, "choices", origin) if record.get("choices") else [],
        "spans": _spans(record, text, origin),
        "all": bool(record.get("all", True)),
        "length": _number(record, "length", origin) or 1 << (num_words(text) - 1).bit_length(),
        "depth": _depth(record, origin),
    }
    fields["asked"] = _number(record, "asked", origin) or (len(answers) if fields["all"] else 1) or 1
    return fields | {"answers": answers} if gold else fields


def spans_seen(document: Document, encoded: Encoded, merged: Merged) -> list[bool]:
    """Return whether all of each span was seen, or of the text where none is known."""
    spans = document.fields["spans"]
    return [bool(merged.seen[evidence_tokens(encoded, *span)].all()) for span in spans] or [bool(merged.seen.all())]


def _question(record: Mapping[str, Any], origin: str) -> str:
    question = record.get("question")
    if not isinstance(question, str) or not question.strip():
        other = None if "question" in record else lookalike(record, "probe")
        looks = f"; it looks like a record for task={other}" if other else ""
        raise UserError(f"The field 'question' of {origin} is {kind(question)}{looks}: give the question.")
    check_characters(question, origin)
    return question


def _texts(record: Mapping[str, Any], field: str, origin: str) -> list[str]:
    """Return a checked list of non-blank texts."""
    given = record.get(field)
    if not isinstance(given, list | tuple) or not given:
        raise UserError(f"The field '{field}' of {origin} is {kind(given or None)}: give a list of texts.")
    for value in given:
        if not isinstance(value, str) or not value.strip():
            raise UserError(f"The field '{field}' of {origin} has {value!r}: give texts that are not empty.")
        check_characters(value, origin)
    return list(given)


def _spans(record: Mapping[str, Any], text: str, origin: str) -> list[list[int]]:
    """Return checked spans of characters within the text."""
    given = record.get("spans")
    spans = [] if given is None else given if isinstance(given, list | tuple) else [given]
    for span in spans:
        if not _is_span(span, len(text)):
            raise UserError(
                f"The field 'spans' of {origin} has {span}, which is not a span of its {len(text)} characters: "
                "give first and last character, the latter not included."
            )
    return [list(span) for span in spans]


def _is_span(span: Any, size: int) -> bool:
    whole = isinstance(span, list | tuple) and len(span) == 2 and all(type(place) is int for place in span)
    return whole and 0 <= span[0] < span[1] <= size


def _number(record: Mapping[str, Any], field: str, origin: str) -> int | None:
    """Return a checked whole number of at least 1; None where the record has none."""
    value = record.get(field)
    if value is None:
        return None
    if type(value) is not int or not 1 <= value < 2**31:
        raise UserError(f"The field '{field}' of {origin} is {str(value)[:40]}: give a whole number of at least 1.")
    return value


def _depth(record: Mapping[str, Any], origin: str) -> float | None:
    value = record.get("depth")
    if value is not None and (type(value) not in (int, float) or not 0 <= value <= 1):
        raise UserError(f"The field 'depth' of {origin} is {str(value)[:40]}: give a fraction of the text, 0 to 1.")
    return None if value is None else value
