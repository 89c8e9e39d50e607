"""Records of several tasks: which members a record is for, and what each of them takes from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError

PARTS = "parts"
"""Field of a merged record: the fields that each member takes from it, by its name."""

PROBES = "probes"
"""Field with the known evidence of a document; where it is a mapping, each member has its own."""


def merged_records(
    found: Mapping[str, Sequence[Record] | None], gold_fields: Mapping[str, Sequence[str]], member_field: str
) -> list[Record]:
    """Return a record for each place of a split, with the parts of all members that it is for.

    Args:
        found: The records of the split as a source returns them for each member; None where it has no such split.
        gold_fields: Fields of a record of which one is needed as gold, by member; empty where any record will do.
        member_field: Field with the name of the member, or a list of names; without it the gold decides.

    Raises:
        UserError: A record names an unknown member, or is for none.
    """
    names = list(found)
    merged: dict[tuple[str, Any], Record] = {}
    for name, records in found.items():
        for record in records or ():
            key = (record.origin, record.fields.get("id"))
            fields = {**kept_fields(record), PARTS: {}}
            whole = merged.setdefault(key, Record(fields, record.origin, record.protection))
            named = member_names(record, member_field, names)
            wanted = gold_fields[name]
            if name in named or (not named and (not wanted or any(one in record.fields for one in wanted))):
                whole.fields[PARTS][name] = record.fields
    for record in merged.values():
        if not record.fields[PARTS]:
            each = "; ".join(f"{name}: {' or '.join(gold_fields[name])}" for name in names if gold_fields[name])
            raise UserError(
                f"{record.origin} is for no member of task=multi: it has no field with gold ({each}) and no "
                f"'{member_field}' that names one."
            )
    return list(merged.values())


def kept_fields(record: Record) -> dict[str, Any]:
    """Return the fields that a record with parts has besides them."""
    return {name: value for name, value in record.fields.items() if name in ("id", "language")}


def member_names(record: Record, field: str, names: Sequence[str]) -> list[str]:
    """Return the members that a record names in ``field``; empty where it has no such field.

    Raises:
        UserError: It names another one.
    """
    given = record.fields.get(field)
    if given is None:
        return []
    found = list(given) if isinstance(given, list | tuple) else [given]
    for one in found:
        if one not in names:
            raise UserError(
                f"The field '{field}' of {record.origin} names {one!r}, which is no member: they are "
                f"{', '.join(names)}."
            )
    return found
