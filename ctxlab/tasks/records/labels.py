"""Reads the labels of whole documents from records: names or integers, one type per field."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.tasks.records.fields import kind, missing
from ctxlab.text.units import squeezed

KINDS = {str: "text", int: "whole numbers", bool: "truth values"}
"""Types that labels may have."""

NO_GOLD = "-"
"""Label of SNLI and others where annotators did not agree; data sets with numeric labels have -1."""

OPPOSITE = frozenset({"+", "--", "++"})
"""Labels whose presence shows that ``-`` is a label too."""


class LabelReader:
    """Reads the label field of all records of a task, and remembers the type of its labels."""

    def __init__(
        self,
        field: str,
        task: str,
        allowed: Sequence[str],
        notes: list[str],
        *,
        several: bool,
        written: Callable[[str], str] = str,
    ) -> None:
        """Store the field and how it is read.

        Args:
            field: Name of the field of a record.
            task: Name of the task.
            allowed: The labels, empty for any.
            notes: List to which notes for the report are added.
            several: Whether a document may have several labels.
            written: Returns the label that a name in the data stands for.
        """
        self.field, self._task, self._allowed, self._several = field, task, allowed, several
        self._notes, self._written = notes, written
        self._first: tuple[type, str] | None = None
        self._width: int | None = None

    @property
    def places(self) -> list[str]:
        """Return the names of the classes of multi-hot lists, in order; empty where labels are named."""
        if self._width is None:
            return []
        return list(self._allowed) or [str(place) for place in range(self._width)]

    def admit(self, records: Sequence[Record]) -> list[Record]:
        """Return the records that have a gold label; how the field is read is decided from all of them.

        Raises:
            UserError: No record has one, or -1 is ambiguous: a class, or "no gold label".
        """
        values = [record.fields.get(self.field, ...) for record in records]
        if self._several:
            self._decide_places(values, records)
        no_gold = self._no_gold(values, records)
        kept = [record for record, value in zip(records, values, strict=True) if not _is_one_of(value, no_gold)]
        if records and not kept:
            raise UserError(
                f"No record from {records[0].origin} on has a gold label in '{self.field}' "
                f"({values[0]!r} means none): use a file that has some."
            )
        if len(kept) < len(records):
            self._note(
                f"{len(records) - len(kept):,} of {len(records):,} records have no gold label in '{self.field}' "
                "(null, empty, '-' or -1) and were left out."
            )
        self._note_spelling(value for value in values if not _is_one_of(value, no_gold))
        return kept

    def _note(self, sentence: str) -> None:
        """Add a note once, as splits often have the same."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def _no_gold(self, values: Sequence[Any], records: Sequence[Record]) -> list[Any]:
        """Return the values that mean "no gold label"; None and NaN always do."""
        found: list[Any] = []
        if self._several:
            return found
        named = {_clean(value) for value in values if isinstance(value, str)}
        if NO_GOLD in named and NO_GOLD not in self._allowed and not named & OPPOSITE:
            found.append(NO_GOLD)
        numbers = {int(value) for value in values if _is_number(value)} | {int(name) for name in named if _is_int(name)}
        if -1 in numbers and "-1" not in self._allowed and numbers != {-1, 1} and min(numbers) == -1:
            self._check_minus_one(values, numbers, records)
            found += [-1, "-1"]
        return found

    def _check_minus_one(self, values: Sequence[Any], numbers: set[int], records: Sequence[Record]) -> None:
        if self._task == "nli":  # -1 is never a class there
            return
        place = next(r.origin for r, value in zip(records, values, strict=True) if _is_one_of(value, [-1, "-1"]))
        listed = ",".join(map(str, sorted(numbers)))
        raise UserError(
            f"The label -1 in the field '{self.field}' of {place} may be a class, or mean that there is no gold label: "
            f"set task.labels=[{listed}] if it is a class, or remove such records from the file."
        )

    def _decide_places(self, values: Sequence[Any], records: Sequence[Record]) -> None:
        """Decide whether lists are multi-hot vectors (zeros and ones by class), as some libraries write them."""
        lists = [list(value) for value in values if isinstance(value, list | tuple)]
        if not lists or not all(_is_number(one) and one in (0, 1) for each in lists for one in each):
            return
        widths = {len(each) for each in lists}
        certain = (
            any(len(set(each)) < len(each) or any(isinstance(one, bool | float) for one in each) for each in lists)
            or [1, 0] in lists
        )  # class indices are ascending
        if self._width is None and (len(widths) > 1 or widths <= {0, 1} or not certain):
            return
        width = self._width or widths.pop()
        wrong = next((r for r, each in zip(records, lists, strict=False) if len(each) != width), None)
        if wrong is not None or (self._allowed and len(self._allowed) != width):
            had = f"task.labels lists {len(self._allowed)}" if wrong is None else f"{wrong.origin} has another number"
            raise UserError(
                f"The field '{self.field}' holds lists of {width} zeros and ones, one for each class, and {had}: "
                "give lists of equal length."
            )
        if self._width is None:
            called = "in the order of task.labels" if self._allowed else "named by its number from 0 on"
            self._note(f"'{self.field}' holds lists of {width} zeros and ones: each position is a class, {called}.")
        self._width = width

    def _note_spelling(self, values: Iterable[Any]) -> None:
        """Note labels that differ in white space only, which is normalised, or in case only, which is not."""
        texts = {
            one
            for value in values
            for one in (value if isinstance(value, list | tuple) else [value])
            if isinstance(one, str)
        }
        stripped = sorted(text for text in texts if text != _clean(text))
        if stripped:
            self._note(f"Labels in '{self.field}' have extra white space, which was removed, such as {stripped[0]!r}.")
        folded: dict[str, str] = {}
        for text in sorted(map(_clean, texts)):
            if folded.setdefault(text.casefold(), text) != text:
                self._note(
                    f"The labels '{folded[text.casefold()]}' and '{text}' in '{self.field}' differ in case only, "
                    "and are two classes."
                )
                return

    def read(self, record: Mapping[str, Any], origin: str) -> tuple[str, ...]:
        """Return the labels of a record as text, without duplicates.

        Raises:
            UserError: The field is missing, of the wrong type, or has a label that ``task.labels`` does not list.
        """
        if self.field not in record:
            raise missing(record, self.field, origin=origin, task=self._task, option="task.label_field")
        value = record[self.field]
        if self._several and not isinstance(value, list | tuple):
            raise UserError(
                f"The field '{self.field}' of {origin} is {kind(value)}: give a list of labels (empty for none), "
                "or set task.multi_label=false."
            )
        if not self._several and isinstance(value, list | tuple):
            hint = ", or set task.multi_label=true" if self._task == "classification" else ""
            raise UserError(f"The field '{self.field}' of {origin} is {kind(value)}: give one label{hint}.")
        if self._width is not None:
            return self._of_places(value, origin)
        return tuple(dict.fromkeys(self._name(one, origin) for one in (value if self._several else [value])))

    def _of_places(self, value: Sequence[Any], origin: str) -> tuple[str, ...]:
        names = self.places
        if len(value) != len(names) or not all(_is_number(one) and one in (0, 1) for one in value):
            raise UserError(
                f"The field '{self.field}' of {origin} is {str(list(value))[:80]}, and others are {len(names)} zeros "
                "and ones: write all in one way."
            )
        return tuple(name for name, one in zip(names, value, strict=True) if one)

    def _name(self, value: Any, origin: str) -> str:
        value = int(value) if isinstance(value, float) and value.is_integer() else value
        value = _clean(value) if isinstance(value, str) else value
        if isinstance(value, float):
            raise UserError(
                f"The field '{self.field}' of {origin} has a label that is of type float ({value}), and task="
                f"{self._task} predicts classes, not real numbers: give a name or a whole number."
            )
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
        name = self._written(str(value).lower() if isinstance(value, bool) else str(value))
        if self._allowed and name not in self._allowed:
            raise UserError(
                f"The label '{name}' in the field '{self.field}' of {origin} is not in task.labels="
                f"[{','.join(self._allowed)}]: add it there, or remove the document from the file."
            )
        return name


def _clean(text: str) -> str:
    """Return a label stripped, with single blanks, and in Unicode normal form NFC."""
    return unicodedata.normalize("NFC", squeezed(text))


def _is_number(value: Any) -> bool:
    """Whether ``value`` is a whole number, of type int or float."""
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _is_int(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


def _is_one_of(value: Any, no_gold: Sequence[Any]) -> bool:
    """Whether a label is missing: null, NaN, blank as the empty cell of a table, or one of ``no_gold``."""
    if value is None or value != value:
        return True
    if isinstance(value, str):
        return not value.strip() or _clean(value) in no_gold
    return _is_number(value) and not isinstance(value, bool) and int(value) in no_gold


def sorted_labels(labels: Iterable[str]) -> list[str]:
    """Return labels sorted: numerically where all are whole numbers, else alphabetically."""
    names = set(labels)
    return sorted(names, key=int) if all(map(_is_int, names)) else sorted(names)


def checked_labels(labels: Sequence[Any]) -> list[str]:
    """Return ``task.labels`` as text; raises UserError where it is empty, repeats a label, or has an empty one."""
    names = [str(label).lower() if isinstance(label, bool) else _clean(str(label)) for label in labels]
    if not names or len(set(names)) != len(names) or "" in names:
        raise UserError(f"task.labels={list(labels)} is empty, repeats a label or has an empty one: list each once.")
    return names
