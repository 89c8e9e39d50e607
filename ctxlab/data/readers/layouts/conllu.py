"""CoNLL-U: ten columns, words numbered, entities as ``NER=B-LOC`` in the last (universaldependencies.org/format)."""

import re
from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample, is_bio

WIDTH = 10
MISC = 9
"""Index of the column with ``Name=value`` pairs."""

_NUMBER = re.compile(r"(\d+)([-.]\d+)?")
_KEYS = frozenset({"ner", "ne", "entity", "namedentity", "named_entity"})


class CoNLLU(Layout):
    """Syntactic words only: ranges (``3-4 don't``) and empty nodes (``8.1``) are not words.

    ``# newdoc`` begins a document. A file without ``NER=`` has only words, unless another column has BIO tags in every
    row.
    """

    name = "CoNLL-U"

    def __init__(self, tag: int | None) -> None:
        """Store the index of the column of tags; None if the tags are among the pairs of the last column."""
        self._tag = tag

    @classmethod
    def of(cls, sample: Sample) -> Self | None:
        """Return the layout if every row has ten columns and begins with a number."""
        rows = sample.rows
        fits = bool(rows) and all(len(row) == WIDTH and _NUMBER.fullmatch(row[0]) for row in rows)
        if not fits:
            return None
        places = [place for place in sample.bio_columns() if place > 1]
        return cls(places[-1] if places else None)

    def starts_document(self, line: str, columns: Columns) -> bool:
        """Return whether the line is ``# newdoc``, with or without a name."""
        return bool(re.match(r"#\s*newdoc\b", line)) or super().starts_document(line, columns)

    def word(self, columns: Columns) -> str | None:
        """Return the word form."""
        return columns[1] if columns[0].isdecimal() else None

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """Return the column of tags, or the tags in the last column."""
        return ((row[self._tag] if self._tag is not None else _named(row[MISC])) for row in rows)


def _named(pairs: str) -> str:
    """Return the tag among ``Name=value`` pairs; empty if there is none."""
    for pair in pairs.split("|"):
        name, _, value = pair.partition("=")
        if name.casefold() in _KEYS and is_bio(value):
            return value
    return ""
