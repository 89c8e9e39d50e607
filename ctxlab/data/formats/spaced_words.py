"""Words and tags of a text as two texts with blanks between them, as a table holds them."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally


def recognises(fields: Fields) -> bool:
    """``tokens`` and ``tags`` are texts of equally many words."""
    tokens, tags = fields.get("tokens"), fields.get("tags")
    return isinstance(tokens, str) and isinstance(tags, str) and len(tokens.split()) == len(tags.split()) > 0


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """The same as lists."""
    del task, tally
    yield with_fields(record, tokens=record.fields["tokens"].split(), tags=record.fields["tags"].split())


FORMAT = Format("words with blanks between them", frozenset({"ner"}), recognises, convert)
