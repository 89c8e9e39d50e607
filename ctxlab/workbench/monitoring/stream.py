"""The stream of documents: lines of a file that grows, read from where the last command stopped."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError

TAIL_BYTES = 4096
"""Bytes before a place that tell whether a file is still the same there."""


@dataclass(frozen=True, slots=True)
class Line:
    """A document of the stream."""

    record: Record
    day: date | None
    group: str | None
    end: int
    """Byte of the file after the line."""


def check_stream(path: Path) -> None:
    """Refuse a file that is not read line by line; raises UserError."""
    if path.is_dir() or path.suffix.lower() not in (".jsonl", ".ndjson"):
        raise UserError(f"input={path} is no stream: give a file of JSON lines (.jsonl), one document in each.")


def check_address(address: str) -> None:
    """Refuse a webhook that is no address of the web; raises UserError."""
    if not address.startswith(("http://", "https://")):
        raise UserError(f"webhook={address} is no address: give one that begins with http:// or https://.")


def tail(path: Path, place: int) -> str:
    """Return a checksum of the bytes before a place of a file; empty if it is shorter."""
    with path.open("rb") as file:
        file.seek(max(place - TAIL_BYTES, 0))
        found = file.read(min(place, TAIL_BYTES))
    return hashlib.sha256(found).hexdigest() if len(found) == min(place, TAIL_BYTES) else ""


def lines(path: Path, place: int, number: int, by: str | None, date_field: str) -> Iterator[Line]:
    """Yield the documents of a file from a byte on; a last line that is still being written is left for later.

    Args:
        path: File of JSON lines.
        place: Byte at which to begin.
        number: Lines before it.
        by: Field with the group; None where documents have none, ``label`` where it is predicted.
        date_field: Field with the date.

    Raises:
        UserError: A line is not a document, or lacks what is needed; names it.
    """
    before: date | None = None
    with path.open("rb") as file:
        file.seek(place)
        for raw in file:
            number += 1
            place += len(raw)
            origin = f"{path.name} line {number}"
            content = _parsed(raw, origin, path)
            if content is None:
                if not raw.endswith(b"\n") and raw.strip():
                    return
                continue
            if content.get("id") in (None, ""):
                content["id"] = f"line {number}"  # whatever documents are read together with it
            day = _day(content, date_field, origin, needed=by is not None)
            if before and day and day < before:
                raise UserError(
                    f"{origin} is of {day}, before that of the line above ({before}): sort the file by '{date_field}'."
                )
            before = day or before
            yield Line(Record(content, origin), day, _group(content, by, origin), place)


def _parsed(raw: bytes, origin: str, path: Path) -> dict[str, Any] | None:
    """Return the object in a line; None for an empty one, and for a last one that is not finished."""
    if not raw.strip():
        return None
    try:
        content = json.loads(raw)
    except ValueError as error:
        if not raw.endswith(b"\n"):
            return None
        raise UserError(f"{origin} is not JSON ({error}): correct it; the documents before it are counted.") from None
    if not isinstance(content, dict):
        raise UserError(f"{origin} is no JSON object: write one document as {{…}} in each line of {path.name}.")
    return content


def _day(content: dict[str, Any], name: str, origin: str, *, needed: bool) -> date | None:
    value = content.get(name)
    if value is None:
        if needed:
            raise UserError(
                f"{origin} has no field '{name}': by= counts documents by day, so give each its date, such as "
                f'"{name}": "2026-01-31", or name another field with date_field=<field>.'
            )
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).date()
        return datetime.fromisoformat(value).date()
    except (TypeError, ValueError, OverflowError, OSError):
        raise UserError(
            f"The field '{name}' of {origin} is no date: write 2026-01-31, 2026-01-31T12:00:00, or seconds since 1970."
        ) from None


def _group(content: dict[str, Any], by: str | None, origin: str) -> str | None:
    if by is None or by == "label":
        return None
    value = content.get(by)
    if not isinstance(value, str | int) or value == "":
        have = ", ".join(content) or "nothing"
        raise UserError(
            f"{origin} has no text in the field '{by}', only {have}: name another field, or by=label for what the run "
            "predicts."
        )
    return str(value)
