"""doccano's export of sequence labelling and similar formats: a text and its spans, as triples or objects."""

from collections.abc import Iterator
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally

KEYS = ("label", "labels", "entities", "annotations")
"""Fields with the spans in its versions."""


def recognises(fields: Fields) -> bool:
    """Return whether there are a ``text`` and one field of spans; an empty list means a text without entities."""
    return isinstance(fields.get("text"), str) and not {"spans", "tokens"} & fields.keys() and _key(fields) is not None


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the text with ``spans``; a record without any span is not changed."""
    del task, tally
    key = _key(record.fields)
    assert key is not None, "recognised by it"
    yield with_fields(record, spans=[_span(one) for one in record.fields[key]])


def _key(fields: Fields) -> str | None:
    return next((key for key in KEYS if _are_spans(fields.get(key))), None)


def _are_spans(value: Any) -> bool:
    if value == []:
        return True
    if is_list_of(value, "start_offset", "end_offset") or is_list_of(value, "start", "end", "label"):
        return True
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, list) and len(one) == 3 and isinstance(one[2], str) for one in value)
    )


def _span(one: Any) -> dict[str, Any]:
    if isinstance(one, list):
        start, end, label = one
        return {"start": start, "end": end, "label": label}
    start, end = (one.get(f"{name}_offset", one.get(name)) for name in ("start", "end"))
    return {"start": start, "end": end, "label": one.get("label")}


def has_texts(fields: Fields) -> bool:
    """Return whether there is a ``text`` whose ``label`` is a list of texts: classes, or what was written for it."""
    label = fields.get("label")
    is_texts = isinstance(label, list) and all(isinstance(one, str) for one in label)
    return isinstance(fields.get("text"), str) and is_texts and "labels" not in fields


def of_texts(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the classes as ``labels``, and an only one as ``label``; for other tasks the first text written."""
    given = record.fields["label"]
    if task == "classification":
        only = {"label": given[0]} if len(given) == 1 else {}
        yield with_fields(record, labels=given, **only)
    elif not given:
        tally.add("{n} texts of doccano have nothing written for them and were left out.")
    elif task == "summarization":
        yield with_fields(record, document=record.fields["text"], summary=given[0])
    else:
        yield with_fields(record, source=record.fields["text"], target=given[0])


FORMAT = Format("doccano", frozenset({"ner"}), recognises, convert)
TEXTS = Format("doccano", frozenset({"classification", "summarization", "translation"}), has_texts, of_texts)
