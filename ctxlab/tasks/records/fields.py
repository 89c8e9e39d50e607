"""What every task asks of a record before it reads it."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError

SIGNATURES = {
    "relation": ("entities", "relations"),
    "qa": ("context", "questions"),
    "summarization": ("document", "summaries"),
    "translation": ("source", "target"),
    "nli": ("premise", "hypothesis"),
    "probe": ("text", "question", "answers"),
    "dialogue": ("turns",),
    "recommendation": ("history", "candidates"),
    "ner": ("tokens", "tags"),
    "classification": ("text", "label"),
}
"""Fields by which a record of a task is told; the first that fits."""

VARIANTS = {
    "qa": ("context", "question"),
    "summarization": ("document", "summary"),
    "classification": ("text", "labels"),
}
"""Other fields by which some are told, after these."""

LEAST = {"lm": ("text",)}
"""Fields of tasks whose records hold nothing else."""


FOREIGN = {
    "qa": (("paragraphs",), ("context", "qas")),
    "relation": (("sents", "vertexSet"),),
    "dialogue": (("messages",), ("conversations",), ("instruction", "output")),
    "translation": (("translation",),),
    "ner": (("text", "spans"), ("text", "entities"), ("data", "annotations")),
    "summarization": (("article", "highlights"),),
    "nli": (("sentence1", "sentence2"), ("passage", "question", "answer")),
}
"""Fields of other tools' formats that readers make records of a task of (``ctxlab/data/formats``)."""


def lookalike(record: Mapping[str, Any], task: str) -> str | None:
    """Another task than ``task`` whose record this looks like."""
    told = [*SIGNATURES.items(), *VARIANTS.items()]
    fitting = [name for name, fields in told if all(field in record for field in fields)]
    fitting += [name for name, sets in FOREIGN.items() if any(all(f in record for f in fields) for fields in sets)]
    present = tuple(field for field in record if field != "id")
    fitting += [name for name, fields in LEAST.items() if present == fields]
    return next((name for name in fitting if name != task), None)


def nearest(record: Mapping[str, Any], field: str) -> str:
    """The field of ``record`` that was perhaps meant."""
    present = [name for name in record if name != "id"]
    return (difflib.get_close_matches(field, present, n=1, cutoff=0.4) or ["<field>"])[0]


def text_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> str:
    """The plain text in ``field``, checked.

    Args:
        record: As a source gave it.
        field: Its name in the record.
        option: Key that sets ``field``: ``task.text_field``.
        origin: Place of the record.
        task: Name of the task that asks.

    Raises:
        UserError: It is missing, no text, blank, or holds half a character.
    """
    if field not in record:
        raise _no_text(record, field, option, origin, task)
    text = record[field]
    if not isinstance(text, str):
        raise UserError(f"The field '{field}' of {origin} is {kind(text)}: give the document's text.")
    if not text.strip():
        raise UserError(f"The field '{field}' of {origin} is an empty text: take the document out, or give it words.")
    check_characters(text, origin)
    return text


def _no_text(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> UserError:
    other = lookalike(record, task)
    if other:
        return UserError(
            f"{origin} has no field '{field}'; it looks like a record for task={other}: use a file for task={task}."
        )
    present = ", ".join(name for name in record if name != "id")
    return UserError(
        f"{origin} has no field '{field}', only {present or 'an id'}: "
        f"name the right one with {option}={nearest(record, field)}."
    )


def not_blank(records: Sequence[Record], field: str, notes: list[str]) -> list[Record]:
    """The records whose text in ``field`` is no blank one; how many are not goes into ``notes``.

    Raises:
        UserError: All are blank.
    """
    kept = [record for record in records if not _is_blank(record.fields.get(field))]
    if records and not kept:
        raise UserError(f"The field '{field}' of every record from {records[0].origin} on is a blank text: give words.")
    if len(kept) < len(records):
        note = f"{len(records) - len(kept):,} of {len(records):,} records are blank texts and were left out."
        notes.extend([] if note in notes else [note])
    return kept


def _is_blank(text: Any) -> bool:
    return isinstance(text, str) and not text.strip()


def check_word_places(value: Any, field: str, num_words: int, origin: str) -> list[int]:
    """Words that ``field`` names by their places, rising from 0 on; raises UserError where it holds anything else."""
    places: list[Any] = list(value) if isinstance(value, list | tuple | np.ndarray) else [None]
    for index, place in enumerate(places):
        if isinstance(place, bool) or not isinstance(place, int | np.integer) or not 0 <= place < num_words:
            shown = repr(value)[:60] if place is None else repr(place)
            raise UserError(
                f"The field '{field}{'' if place is None else f'[{index}]'}' of {origin} is {shown}: give a list of "
                f"numbers of words, from 0 to {num_words - 1}."
            )
        if index and place <= places[index - 1]:
            raise UserError(
                f"The field '{field}[{index}]' of {origin} is {place} behind {places[index - 1]}: "
                "give each word once, in rising order."
            )
    return [int(place) for place in places]


def check_characters(text: str, origin: str) -> None:
    """Refuse half of a surrogate pair, which no tokenizer can read."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{origin} holds half of a surrogate pair ({error.object[error.start]!r}), which is no character: "
            "mend the escape in the file."
        ) from None


def check_words(tokens: Sequence[Any], origin: str) -> None:
    """Refuse a document without words, and words that are no text."""
    if not tokens:
        raise UserError(f"{origin} is a document of zero tokens: take it out, or give it at least one word.")
    for index, token in enumerate(tokens):
        if not isinstance(token, str):
            raise UserError(f"Word {index} of {origin} is {kind(token)} ({token!r}): words must be strings.")
    check_characters("".join(tokens), origin)


def kind(value: Any) -> str:
    """What a value is, for messages."""
    return "empty" if value is None else f"of type {type(value).__name__}"
