"""Checks records of documents and their summaries: several queries about a document, or a single summary."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.evidence import checked_evidence
from ctxlab.tasks.records.fields import kind, missing
from ctxlab.tasks.records.texts import checked_text


def summaries_of(record: Mapping[str, Any], name: str, text: str, origin: str, *, gold: bool) -> list[dict[str, Any]]:
    """Return ``id, query, summary`` of each summary of ``text``; absent values are left out.

    Args:
        record: With ``summaries``, a list of ``{query, summary}``, or ``query`` and ``summary`` itself; a query may be
            missing, null or empty: then the summary is of the whole document.
        name: The record's id; the entries of a list are called ``<name>#<their id>``, by their number where they have
            none.
        text: The document.
        origin: Place of the record, for messages.
        gold: Whether summaries are needed.

    Raises:
        UserError: A value is missing, empty, of the wrong type or a repeated id.
    """
    if record.get("summaries") is None:
        return [{"id": name, **_summary(record, "", text, origin, gold=gold)}]
    given = record["summaries"]
    if not isinstance(given, list | tuple | np.ndarray):
        raise UserError(
            f"The field 'summaries' of {origin} is {kind(given)}: "
            'give a list of {"query": …, "summary": …}, or a single text in \'summary\'.'
        )
    if not len(given):
        raise UserError(f"The field 'summaries' of {origin} is an empty list: give at least one.")
    found, places = [], dict[str, str]()
    for index, one in enumerate(given):
        place = f"summaries[{index}]"
        if not isinstance(one, Mapping):
            raise UserError(f'The field \'{place}\' of {origin} is {kind(one)}: give {{"query": …, "summary": …}}.')
        own = str(one["id"]) if one.get("id") not in (None, "") else str(index + 1)
        if own in places:
            raise UserError(
                f"The id '{own}' of '{place}' of {origin} is already that of '{places[own]}': give each its own id."
            )
        places[own] = place
        found.append({"id": f"{name}#{own}", **_summary(one, f"{place}.", text, origin, gold=gold)})
    return found


def _summary(one: Mapping[str, Any], place: str, text: str, origin: str, *, gold: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if one.get("query") not in (None, ""):
        fields["query"] = checked_text(one["query"], f"{place}query", origin)
    if gold:
        if one.get("summary") is None:
            raise _missing(one, place, origin)
        fields["summary"] = checked_text(one["summary"], f"{place}summary", origin)
    if one.get("probes") is not None:
        fields["probes"] = checked_evidence(one["probes"], f"{place}probes", text, origin)
    return fields


def _missing(one: Mapping[str, Any], place: str, origin: str) -> UserError:
    if place:
        return UserError(f"{origin} has no field '{place}summary': give the summary.")
    advice = "give the summary"
    return missing(one, "summaries", origin=origin, task="summarization", also=" or 'summary'", advice=advice)
