"""Words and tags of a text as two texts with blanks between them, as a table holds them."""

from collections.abc import Iterator

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally
from ctxlab.text.units import squeezed


def recognises(fields: Fields) -> bool:
    """``tokens`` and ``tags`` are texts of equally many words."""
    tokens, tags = fields.get("tokens"), fields.get("tags")
    return isinstance(tokens, str) and isinstance(tags, str) and len(_words(tokens)) == len(_words(tags)) > 0


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """The same as lists."""
    del task, tally
    yield with_fields(record, tokens=_words(record.fields["tokens"]), tags=_words(record.fields["tags"]))


def _words(text: str) -> list[str]:
    """What blanks part, whatever the script: the data says where words end."""
    return squeezed(text).split(" ") if text.strip() else []


FORMAT = Format("words with blanks between them", frozenset({"ner"}), recognises, convert)
