"""Words and tags as two space-separated strings, as in a table."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally
from ctxlab.text.units import squeezed


def recognises(fields: Fields) -> bool:
    """Return whether ``tokens`` and ``tags`` are strings with the same number of words."""
    tokens, tags = fields.get("tokens"), fields.get("tags")
    return isinstance(tokens, str) and isinstance(tags, str) and len(_words(tokens)) == len(_words(tags)) > 0


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the record with both as lists."""
    del task, tally
    yield with_fields(record, tokens=_words(record.fields["tokens"]), tags=_words(record.fields["tags"]))


def _words(text: str) -> list[str]:
    """Split at spaces in every script, because the data says where words end."""
    return squeezed(text).split(" ") if text.strip() else []


FORMAT = Format("space-separated words", frozenset({"ner"}), recognises, convert)
