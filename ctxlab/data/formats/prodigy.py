"""Prodigy's export of named entities: a text, its words with their characters, and spans."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally

REFUSED = ("reject", "ignore")
"""Answers of the annotator that exclude a text."""

LEFT_OUT = "{n} texts of Prodigy were rejected or ignored by the annotator, and were left out."


def recognises(fields: Fields) -> bool:
    """Return whether there is a ``text`` with ``spans`` or an ``answer``, and words, if any, are objects."""
    words = fields.get("tokens")
    return isinstance(fields.get("text"), str) and (
        is_list_of(words, "text", "start", "end") or (words is None and "answer" in fields)
    )


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the text with its ``spans`` and the characters of its words (``offsets``)."""
    del task
    fields = dict(record.fields)
    if fields.get("answer") in REFUSED:
        tally.add(LEFT_OUT)
        return
    words = fields.pop("tokens", None)
    more = {} if words is None else {"offsets": [[word["start"], word["end"]] for word in words]}
    yield with_fields(Record(fields, record.origin), spans=fields.get("spans") or [], **more)


def has_class(fields: Fields) -> bool:
    """Return whether there are a ``text``, an ``answer``, and a ``label`` in question or ``options`` to choose from."""
    asked = isinstance(fields.get("label"), str) or is_list_of(fields.get("options"), "id")
    return isinstance(fields.get("text"), str) and "answer" in fields and asked


def of_class(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the label of an accepted text, or the options that were chosen.

    That a label was rejected says only what a text is not, so that the text is left out.
    """
    del task
    fields = record.fields
    if fields["answer"] in REFUSED:
        tally.add(LEFT_OUT)
        return
    chosen = list(fields.get("accept") or []) if "options" in fields else [fields["label"]]
    yield with_fields(record, labels=chosen, label=chosen[0] if chosen else None)


FORMAT = Format("Prodigy", frozenset({"ner"}), recognises, convert)
CLASS = Format("Prodigy", frozenset({"classification"}), has_class, of_class)
