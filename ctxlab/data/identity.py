"""Unique ids of the documents of a split, and texts that consist of characters."""

import json
from collections.abc import Sequence

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError


def identified(records: Sequence[Record], stem: str) -> list[Record]:
    """Return the records, each with an ``id``: its own as text, or ``<stem>-<index>`` if it has none.

    Raises:
        UserError: Two records have the same id, or a record has half of a surrogate pair at any place.
    """
    named, places = [], dict[str, str]()
    for index, given in enumerate(records):
        check_characters(given)
        record = with_id(given, f"{stem}-{index}")
        name = record.fields["id"]
        if name in places:
            raise UserError(
                f"The id '{name}' of {record.origin} is already that of {places[name]}: give each document its own id."
            )
        places[name] = record.origin
        named.append(record)
    return named


def with_id(record: Record, otherwise: str) -> Record:
    """Return the record with its own ``id`` as text, or ``otherwise`` if it has none."""
    given = record.fields.get("id")
    return Record({**record.fields, "id": otherwise if given is None or given == "" else str(given)}, record.origin)


def check_characters(record: Record) -> None:
    """Raise UserError for half of a surrogate pair anywhere: it can neither be tokenised nor written to a file."""
    try:
        json.dumps(record.fields, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{record.origin} contains half of a surrogate pair ({error.object[error.start]!r}), which is not a "
            "character: correct the escape in the file."
        ) from None
    except RecursionError:
        raise UserError(f"{record.origin} is nested too deep to be read: remove the nested value.") from None


def check_max_documents(max_documents: int | None) -> None:
    """Raise UserError unless ``max_documents`` is a positive count or None."""
    if max_documents is not None and max_documents < 1:
        raise UserError(
            f"data.max_documents={max_documents} leaves no document: give a count of at least 1, or null for all."
        )
