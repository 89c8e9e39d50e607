"""Labels of whole documents as records have them: names or whole numbers, one kind in a column."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.fields import kind, lookalike, nearest

KINDS = {str: "text", int: "whole numbers", bool: "truth values"}
"""Types that labels may have."""


class LabelReader:
    """Reads one field of all records of a task, and remembers what kind of label it holds."""

    def __init__(self, field: str, task: str, allowed: Sequence[str], *, several: bool) -> None:
        """Take the field, the task that asks, the ``allowed`` labels (empty for any), and if there are several."""
        self.field, self._task, self._allowed, self._several = field, task, allowed, several
        self._first: tuple[type, str] | None = None

    def read(self, record: Mapping[str, Any], origin: str) -> tuple[str, ...]:
        """The labels of a record as text, each once.

        Raises:
            UserError: The field is missing, of the wrong kind, or holds a label that ``task.labels`` does not list.
        """
        if self.field not in record:
            raise self._missing(record, origin)
        value = record[self.field]
        if self._several and not isinstance(value, list | tuple):
            raise UserError(
                f"The field '{self.field}' of {origin} is {kind(value)}: give a list of labels (empty for none), "
                "or set task.multi_label=false."
            )
        if not self._several and isinstance(value, list | tuple):
            hint = ", or set task.multi_label=true" if self._task == "classification" else ""
            raise UserError(f"The field '{self.field}' of {origin} is {kind(value)}: give one label{hint}.")
        return tuple(dict.fromkeys(self._name(one, origin) for one in (value if self._several else [value])))

    def _name(self, value: Any, origin: str) -> str:
        if type(value) not in KINDS or value == "":
            what = "an empty text" if value == "" else kind(value)
            raise UserError(
                f"The field '{self.field}' of {origin} has a label that is {what}: give a name or a whole number."
            )
        first, place = self._first = self._first or (type(value), origin)
        if type(value) is not first:
            raise UserError(
                f"The field '{self.field}' mixes {KINDS[first]} ({place}) and {KINDS[type(value)]} ({origin}): "
                "write all labels in one way."
            )
        name = str(value).lower() if isinstance(value, bool) else str(value)
        if self._allowed and name not in self._allowed:
            raise UserError(
                f"The label '{name}' in the field '{self.field}' of {origin} is not in task.labels="
                f"[{','.join(self._allowed)}]: add it there, or take the document out of the file."
            )
        return name

    def _missing(self, record: Mapping[str, Any], origin: str) -> UserError:
        other = lookalike(record, self._task)
        if other:
            return UserError(
                f"{origin} has no field '{self.field}'; it looks like a record for task={other}: "
                f"use a file for task={self._task}."
            )
        present = ", ".join(name for name in record if name != "id")
        return UserError(
            f"{origin} has no field '{self.field}', only {present or 'an id'}: "
            f"name the right one with task.label_field={nearest(record, self.field)}."
        )


def sorted_labels(labels: Iterable[str]) -> list[str]:
    """Whole numbers by size, all else by letters."""
    names = set(labels)
    numbers = all(name.removeprefix("-").isdecimal() for name in names)
    return sorted(names, key=int) if numbers else sorted(names)


def checked_labels(labels: Sequence[Any]) -> list[str]:
    """``task.labels`` as text; raises UserError where it is empty, repeats one, or holds no name."""
    names = [str(label).lower() if isinstance(label, bool) else str(label) for label in labels]
    if not names or len(set(names)) != len(names) or "" in names:
        raise UserError(f"task.labels={list(labels)} is empty, repeats a label or has a nameless one: list each once.")
    return names
