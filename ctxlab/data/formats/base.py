"""What a format of records is: how it is known, for which tasks, and what it says in the task's own fields."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.readers.tally import Tally

Fields = Mapping[str, Any]
"""One record as its file has it."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that other tools write; one file under ``ctxlab/data/formats`` each."""

    name: str
    """As people call it."""
    tasks: frozenset[str]
    """Tasks whose records it becomes."""
    recognises: Callable[[Fields], bool]
    """Whether a record is in it, by its fields alone."""
    convert: Callable[[Record, str, Tally], Iterator[Record]]
    """Records of the task (second argument) that one record holds; fields that the task does not know are kept.

    Raises UserError naming the place where the record is not as its format says.
    """


def with_fields(record: Record, **fields: Any) -> Record:
    """``record`` with more fields, or others."""
    return Record({**record.fields, **fields}, record.origin)


def is_list_of(value: Any, *keys: str) -> bool:
    """Whether ``value`` is a list, not empty, of objects that each have ``keys``."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) and item.keys() >= set(keys) for item in value)
    )
