"""Prodigy's export of named entities: a text, its words with their characters, and spans."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally

REFUSED = ("reject", "ignore")
"""Answers of the annotator that exclude a text."""


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
        tally.add("{n} texts of Prodigy were rejected or ignored by the annotator, and were left out.")
        return
    words = fields.pop("tokens", None)
    more = {} if words is None else {"offsets": [[word["start"], word["end"]] for word in words]}
    yield with_fields(Record(fields, record.origin), spans=fields.get("spans") or [], **more)


FORMAT = Format("Prodigy", frozenset({"ner"}), recognises, convert)
