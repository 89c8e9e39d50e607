"""Unique ids of the documents of a split."""

from collections.abc import Sequence

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError


def identified(records: Sequence[Record], stem: str) -> list[Record]:
    """Return the records, each with an ``id``: its own as text, or ``<stem>-<index>`` if it has none.

    Raises:
        UserError: Two records have the same id.
    """
    named, places = [], dict[str, str]()
    for index, record in enumerate(records):
        given = record.fields.get("id")
        name = f"{stem}-{index}" if given is None or given == "" else str(given)
        if name in places:
            raise UserError(
                f"The id '{name}' of {record.origin} is already that of {places[name]}: give each document its own id."
            )
        places[name] = record.origin
        named.append(Record({**record.fields, "id": name}, record.origin))
    return named


def check_max_documents(max_documents: int | None) -> None:
    """Raise UserError unless ``max_documents`` is a positive count or None."""
    if max_documents is not None and max_documents < 1:
        raise UserError(
            f"data.max_documents={max_documents} leaves no document: give a count of at least 1, or null for all."
        )
