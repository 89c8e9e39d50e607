"""Formats of records: how they are recognised, for which tasks, and how they are converted to the task's fields."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.readers.tally import Tally

Fields = Mapping[str, Any]
"""Fields of one record as in its file."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of other tools; each is one file under ``ctxlab/data/formats``."""

    name: str
    """Common name of the format."""
    tasks: frozenset[str]
    """Tasks for which it is converted."""
    recognises: Callable[[Fields], bool]
    """Returns whether a record is in this format, by its fields alone."""
    convert: Callable[[Record, str, Tally], Iterator[Record]]
    """Yields the records of the task (second argument) in one record; fields that the task does not use are kept.

    Raises UserError naming the place where the record does not follow its format.
    """


def with_fields(record: Record, **fields: Any) -> Record:
    """Return ``record`` with fields added or replaced."""
    return Record({**record.fields, **fields}, record.origin)


def is_list_of(value: Any, *keys: str) -> bool:
    """Return whether ``value`` is a non-empty list of objects that all have ``keys``."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) and item.keys() >= set(keys) for item in value)
    )
