"""Checks the candidates of a record, and which of them were chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.fields import check_characters, kind, missing
from ctxlab.text.units import squeezed

KINDS = {bool: "truth values", int: "whole numbers"}
"""Types that labels may have."""


def texts_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> list[str]:
    """Return the list of texts in ``field``; raises UserError where it is missing, empty, or contains other values.

    Args:
        record: A raw record.
        field: Its name in the record.
        option: Key that sets ``field``: ``task.history_field``.
        origin: Place of the record, for messages.
        task: Name of the task that reads the record.
    """
    texts = list_of(record, field, option=option, origin=origin, task=task)
    for index, text in enumerate(texts):
        check_text(text, f"{field}[{index}]", origin)
    return texts


def list_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> list[Any]:
    """Return the non-empty list in ``field``.

    Args:
        record: A raw record.
        field: Its name in the record.
        option: Key that sets ``field``: ``task.history_field``.
        origin: Place of the record, for messages.
        task: Name of the task that reads the record.

    Raises:
        UserError: It is missing, no list, or empty.
    """
    if field not in record:
        raise missing(record, field, origin=origin, task=task, option=option)
    value = record[field]
    if not isinstance(value, list | tuple | np.ndarray):
        raise UserError(f"The field '{field}' of {origin} is {kind(value)}: give a list.")
    if not len(value):
        raise UserError(f"The field '{field}' of {origin} is an empty list: give at least one, or remove the record.")
    return list(value)


def check_text(value: Any, place: str, origin: str) -> None:
    """Raise UserError where ``value`` is not a text, or blank."""
    if not isinstance(value, str):
        raise UserError(f"The field '{place}' of {origin} is {kind(value)}: give a text.")
    if not value.strip():
        raise UserError(f"The field '{place}' of {origin} is an empty text: give it words, or remove it.")
    check_characters(value, origin)


def candidates_of(record: Mapping[str, Any], field: str, option: str, origin: str, task: str) -> list[str]:
    """Return the texts to rank; raises UserError where two are equal after ``bare``.

    Args:
        record: A raw record.
        field: Its name in the record.
        option: Key that sets ``field``: ``task.candidates_field``.
        origin: Place of the record, for messages.
        task: Name of the task that reads the record.
    """
    texts = texts_of(record, field, option=option, origin=origin, task=task)
    places = dict[str, int]()
    for index, text in enumerate(texts):
        first = places.setdefault(bare(text), index)
        if first != index:
            raise UserError(
                f"The field '{field}[{index}]' of {origin} repeats '{field}[{first}]': give each candidate once."
            )
    return texts


def bare(text: str) -> str:
    """Return a text with all white space reduced to single blanks."""
    return squeezed(text)


class ChosenReader:
    """Reads which candidates were chosen, and checks that all records use one type of label."""

    def __init__(self, field: str, option: str, task: str) -> None:
        """Store the field, the key that sets it, and the name of the task."""
        self._field, self._option, self._task = field, option, task
        self._first: tuple[type, str] | None = None

    def read(self, record: Mapping[str, Any], num_candidates: int, origin: str) -> list[int]:
        """Return 1 for each candidate that was chosen, 0 for the others.

        Raises:
            UserError: A label is missing or not valid, or all labels are equal.
        """
        given = list_of(record, self._field, option=self._option, origin=origin, task=self._task)
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
                "nothing to rank: remove the record."
            )
        return list(labels)
