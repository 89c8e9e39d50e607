"""Checks of the fields of a record that tasks share."""

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from ctxlab.config import catalogue
from ctxlab.config.build import locate
from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.task import Task


def lookalike(record: Mapping[str, Any], task: str) -> str | None:
    """Return another task than ``task`` whose records look like this one, if any.

    Tasks declare the fields of their records; the largest set of fields that the record has counts.
    """
    fitting = [name for name, fields in _declared_fields() if all(field in record for field in fields)]
    present = [field for field in record if field != "id"]
    fitting += [name for name, cls in _tasks().items() if cls.only_field and present == [cls.only_field]]
    return next((name for name in fitting if name != task), None)


def _declared_fields() -> list[tuple[str, Sequence[str]]]:
    declared = [(name, fields) for name, cls in _tasks().items() for fields in cls.record_fields]
    return sorted(declared, key=lambda one: -len(one[1]))


@cache
def _tasks() -> dict[str, type[Task]]:
    """Return the class of every task in ``conf/task``; imported only when a record does not fit its task."""
    targets = {
        name: catalogue.read(catalogue.option_file("task", name))["_target_"] for name in catalogue.options("task")
    }
    return {name: locate(target) for name, target in targets.items()}


def nearest(record: Mapping[str, Any], field: str) -> str:
    """Return the field of ``record`` whose name is most similar to ``field``, to suggest it.

    A field that a task reads under its own name is not suggested for another.
    """
    taken = {name for _, fields in _declared_fields() for name in fields} | {"id", "sentence_starts"}
    present = [name for name in record if name not in taken]
    return (difflib.get_close_matches(field, present, n=1, cutoff=0.4) or ["<field>"])[0]


def text_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> str:
    """Return the checked plain text in ``field``.

    Args:
        record: A raw record.
        field: Its name in the record.
        option: Key that sets ``field``: ``task.text_field``.
        origin: Place of the record, for messages.
        task: Name of the task that reads the record.

    Raises:
        UserError: It is missing, not a text, blank, or contains half of a surrogate pair.
    """
    if field not in record:
        raise missing(record, field, origin=origin, task=task, option=option)
    text = record[field]
    if not isinstance(text, str):
        raise UserError(f"The field '{field}' of {origin} is {kind(text)}: give the document's text.")
    if not text.strip():
        raise UserError(f"The field '{field}' of {origin} is an empty text: remove the document, or give it words.")
    check_characters(text, origin)
    return text


def missing(
    record: Mapping[str, Any], field: str, *, origin: str, task: str, option: str = "", also: str = "", advice: str = ""
) -> UserError:
    """Return the error of a record without ``field``, which names what it has or the task that it looks made for.

    Args:
        record: A raw record.
        field: The field that it should have.
        origin: Place of the record.
        task: Name of the task that reads the record.
        option: Key that sets ``field``, to name the most similar field of the record with it.
        also: What is said after the field, such as another one that would do.
        advice: What to do, where no option sets ``field``.
    """
    other = lookalike(record, task)
    if other:
        return UserError(
            f"{origin} has no field '{field}'; it looks like a record for task={other}: use a file for task={task}."
        )
    present = ", ".join(name for name in record if name != "id")
    advice = advice or f"name the right one with {option}={nearest(record, field)}"
    return UserError(f"{origin} has no field '{field}'{also}, only {present or 'an id'}: {advice}.")


def not_blank(records: Sequence[Record], field: str, notes: list[str]) -> list[Record]:
    """Return the records whose text in ``field`` is not blank; the number of the others is added to ``notes``.

    Raises:
        UserError: All are blank.
    """
    kept = [record for record in records if not _is_blank(record.fields.get(field))]
    if records and not kept:
        raise UserError(f"The field '{field}' of every record from {records[0].origin} on is blank: give texts.")
    if len(kept) < len(records):
        note = f"{len(records) - len(kept):,} of {len(records):,} records are blank texts and were left out."
        notes.extend([] if note in notes else [note])
    return kept


def _is_blank(text: Any) -> bool:
    return isinstance(text, str) and not text.strip()


def check_word_places(value: Any, field: str, num_words: int, origin: str) -> list[int]:
    """Return the word indices in ``field``, ascending from 0; raises UserError where it contains other values.

    Args:
        value: Value of the field.
        field: Its name.
        num_words: Words of the document.
        origin: Place of the record, for messages.
    """
    places: list[Any] = list(value) if isinstance(value, list | tuple | np.ndarray) else [None]
    for index, place in enumerate(places):
        if isinstance(place, bool) or not isinstance(place, int | np.integer) or not 0 <= place < num_words:
            shown = repr(value)[:60] if place is None else repr(place)
            raise UserError(
                f"The field '{field}{'' if place is None else f'[{index}]'}' of {origin} is {shown}: give a list of "
                f"word indices, from 0 to {num_words - 1}."
            )
        if index and place <= places[index - 1]:
            raise UserError(
                f"The field '{field}[{index}]' of {origin} is {place} after {places[index - 1]}: "
                "give each word once, in ascending order."
            )
    return [int(place) for place in places]


def check_characters(text: str, origin: str) -> None:
    """Raise UserError where the text contains half of a surrogate pair, which no tokenizer can read."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{origin} contains half of a surrogate pair ({error.object[error.start]!r}), which is not a character: "
            "correct the escape in the file."
        ) from None


def check_words(tokens: Sequence[Any], origin: str) -> None:
    """Raise UserError where there are no words, or a word is not a text."""
    if not tokens:
        raise UserError(f"{origin} is a document of zero tokens: remove it, or give it at least one word.")
    for index, token in enumerate(tokens):
        if not isinstance(token, str):
            raise UserError(f"Word {index} of {origin} is {kind(token)} ({token!r}): words must be strings.")
    check_characters("".join(tokens), origin)


def kind(value: Any) -> str:
    """Return a description of a value's type, for messages."""
    return "empty" if value is None else f"of type {type(value).__name__}"
