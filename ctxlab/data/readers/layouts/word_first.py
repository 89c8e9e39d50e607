"""The word in the first column and its tag in the last (CoNLL 2002 and 2003, WNUT, Label Studio's export)."""

from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample, columns_of, is_bio


class WordFirst(Layout):
    """Tags are in the last column of BIO tags, else in the last column; a single column has only words."""

    name = "word first"

    def __init__(self, width: int, tag: int | None, known_tags: frozenset[str]) -> None:
        """Store the number of columns, the index of the tag's column (None if there is none), and the tags that
        occur."""
        self._width, self._tag, self._known_tags = width, tag, known_tags

    @classmethod
    def of(cls, sample: Sample) -> Self:
        """Return the layout for any file."""
        rows = sample.rows
        width = len(rows[0]) if rows else max((len(columns_of(line)) for line in sample.comments), default=1)
        if width == 1:
            return cls(1, None, frozenset())
        is_last = all(is_bio(row[-1]) for row in rows)  # even if it has no entity: it follows the column of chunks
        tag = width - 1 if is_last else (sample.bio_columns() or [width - 1])[-1]
        return cls(width, tag, frozenset(row[tag] for row in rows if len(row) > tag))

    def is_comment(self, line: str, columns: Columns) -> bool:
        """Return whether a line begins with ``#`` and is not a word with its tag, as ``#tarn B-LOC`` and ``# O``
        are."""
        if not line.startswith("#"):
            return False
        if self._tag is None:
            return len(columns) > 1
        return len(columns) != self._width or not (columns[self._tag] in self._known_tags or is_bio(columns[self._tag]))

    def word(self, columns: Columns) -> str:
        """Return the first column."""
        return columns[0]

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """Return the tags unchanged."""
        return (("" if self._tag is None else row[self._tag]) for row in rows)
