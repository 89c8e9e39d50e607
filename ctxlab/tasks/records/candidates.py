"""Candidates of a record and which of them were chosen, checked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.fields import check_characters, kind, lookalike, nearest
from ctxlab.text.units import squeezed

KINDS = {bool: "truth values", int: "whole numbers"}
"""Types that labels may have."""


def texts_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> list[str]:
    """The list of texts in ``field``; raises UserError where it is missing, empty, or holds anything else."""
    texts = list_of(record, field, option, origin, task)
    for index, text in enumerate(texts):
        check_text(text, f"{field}[{index}]", origin)
    return texts


def list_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> list[Any]:
    """The list in ``field``, with something in it.

    Args:
        record: As a source gave it.
        field: Its name in the record.
        option: Key that sets ``field``: ``task.history_field``.
        origin: Place of the record.
        task: Name of the task that asks.

    Raises:
        UserError: It is missing, no list, or empty.
    """
    if field not in record:
        other = lookalike(record, task)
        if other:
            raise UserError(
                f"{origin} has no field '{field}'; it looks like a record for task={other}: use a file for task={task}."
            )
        present = ", ".join(name for name in record if name != "id")
        raise UserError(
            f"{origin} has no field '{field}', only {present or 'an id'}: "
            f"name the right one with {option}={nearest(record, field)}."
        )
    value = record[field]
    if not isinstance(value, list | tuple | np.ndarray):
        raise UserError(f"The field '{field}' of {origin} is {kind(value)}: give a list.")
    if not len(value):
        raise UserError(f"The field '{field}' of {origin} is an empty list: give it something, or take the record out.")
    return list(value)


def check_text(value: Any, place: str, origin: str) -> None:
    """Refuse what is no text, or says nothing."""
    if not isinstance(value, str):
        raise UserError(f"The field '{place}' of {origin} is {kind(value)}: give a text.")
    if not value.strip():
        raise UserError(f"The field '{place}' of {origin} is an empty text: give it words, or take it out.")
    check_characters(value, origin)


def candidates_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> list[str]:
    """Texts to rank, each once; raises UserError where one occurs twice, ``bare``."""
    texts = texts_of(record, field, option, origin, task)
    places = dict[str, int]()
    for index, text in enumerate(texts):
        first = places.setdefault(bare(text), index)
        if first != index:
            raise UserError(
                f"The field '{field}[{index}]' of {origin} says what '{field}[{first}]' says: give each candidate once."
            )
    return texts


def bare(text: str) -> str:
    """A text whose white space is single blanks."""
    return squeezed(text)


class ChosenReader:
    """Reads which candidates were chosen, and remembers how the first record says it."""

    def __init__(self, field: str, option: str, task: str) -> None:
        """Take the field, the key that sets it, and the task that asks."""
        self._field, self._option, self._task = field, option, task
        self._first: tuple[type, str] | None = None

    def read(self, record: Mapping[str, Any], num_candidates: int, origin: str) -> list[int]:
        """1 for each candidate that was chosen, 0 for each other.

        Raises:
            UserError: There is no label for one, one that is no label, or nothing to tell apart.
        """
        given = list_of(record, self._field, self._option, origin, self._task)
        if len(given) != num_candidates:
            raise UserError(
                f"The field '{self._field}' of {origin} has {len(given)} labels for {num_candidates} candidates: "
                "give one for each."
            )
        labels = [self._label(value, f"{self._field}[{index}]", origin) for index, value in enumerate(given)]
        return self._checked(labels, origin)

    def _label(self, value: Any, place: str, origin: str) -> int:
        value = value.item() if isinstance(value, np.bool_ | np.integer) else value
        if not isinstance(value, bool | int) or value not in (0, 1):
            raise UserError(
                f"The field '{place}' of {origin} is {value!r}: give 1 for a candidate that was chosen, 0 for others."
            )
        first, origin_of_first = self._first = self._first or (type(value), origin)
        if type(value) is not first:
            raise UserError(
                f"The field '{self._field}' mixes {KINDS[first]} ({origin_of_first}) and {KINDS[type(value)]} "
                f"({origin}): write all labels in one way."
            )
        return int(value)

    def _checked(self, labels: Sequence[int], origin: str) -> list[int]:
        if len(set(labels)) < 2:
            what = "every" if labels[0] else "no"
            raise UserError(
                f"The field '{self._field}' of {origin} says that {what} candidate was chosen, so that there is "
                "nothing to rank: take the record out."
            )
        return list(labels)
