"""A record of a request as documents of the task, in any format that a file may have."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.data.readers.read import recognised
from ctxlab.evaluation.answerer import Answerer
from ctxlab.serving.refusal import Refusal, without_text

ORIGIN = "the document"
"""What messages call a record."""

SHARED = ("id", "language")
"""Fields that a record of any task may have."""

OWN = (*SHARED, "probes", "candidates")
"""The same, and fields of ctxlab's own corpora that not every form of a task reads."""


class Watched(dict[str, Any]):
    """A record that knows which of its fields were asked for; all of them once it is gone through or copied."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.asked: dict[str, None] = {}
        self.counts_copies = True

    def __getitem__(self, name: str) -> Any:
        self.asked[name] = None
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, or ``default``."""
        self.asked[name] = None
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked[str(name)] = None
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._all()
        return super().__iter__()

    def keys(self) -> Any:
        """Return the names of all fields."""
        self._all()
        return super().keys()

    def items(self) -> Any:
        """Return all fields."""
        self._all()
        return super().items()

    def values(self) -> Any:
        """Return all values."""
        self._all()
        return super().values()

    def _all(self) -> None:
        if self.counts_copies:
            self.asked |= dict.fromkeys(super().keys())


def documents(answerer: Answerer, fields: dict[str, Any]) -> list[Document]:
    """Return the documents of one record, such as one for each of its questions.

    Args:
        answerer: Its task is used by one thread at a time.
        fields: The record.

    Raises:
        Refusal: The task cannot read it, or it has fields that the task does not read.
    """
    watched = Watched(fields)
    try:
        found = recognised([Record(fields, ORIGIN)], answerer.task.name, "document", [])
        if len(found) == 1 and found[0].fields.keys() <= {*fields, "id"}:  # in the task's own fields
            watched = Watched(found[0].fields)
            found = [Record(watched, ORIGIN)]
        read = answerer.documents(found)
    except UserError as error:
        raise Refusal(422, without_text(str(error), [*watched.asked, *SHARED])) from None
    finally:
        answerer.task.notes.clear()  # they are about files
    if not read:
        raise Refusal(422, f"There is nothing in the document that task={answerer.task.name} answers.")
    if watched.asked:
        _check_fields(answerer, watched)
    return read


def _check_fields(answerer: Answerer, record: Watched) -> None:
    """Refuse fields that the task does not even read as gold: a mistyped name would silently have no effect.

    Raises:
        Refusal: Names the fields that the task reads.
    """
    record.counts_copies = False  # a message that there is no gold goes through all fields
    with suppress(UserError):
        if _unread(record):
            answerer.task.parse(record, ORIGIN, gold=True)
    answerer.task.notes.clear()
    count = len(_unread(record))
    if count:
        read = ", ".join(dict.fromkeys((*SHARED, *record.asked)))
        fields = "a field" if count == 1 else f"{count} fields"
        raise Refusal(422, f"The document has {fields} that task={answerer.task.name} does not read, which are {read}.")


def _unread(record: Watched) -> set[str]:
    return set(dict.keys(record)) - {*record.asked, *OWN}
