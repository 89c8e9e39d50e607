"""The word in the first column and its tag in the last (CoNLL 2002 and 2003, WNUT, Label Studio's export)."""

from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample, columns_of, is_bio


class WordFirst(Layout):
    """The last column that is BIO tags; the last one where none is; words alone where there is one column."""

    name = "word first"

    def __init__(self, width: int, tag: int | None, known_tags: frozenset[str]) -> None:
        """Take the number of columns, the tag's place (None for words alone), and the tags that occur."""
        self._width, self._tag, self._known_tags = width, tag, known_tags

    @classmethod
    def of(cls, sample: Sample) -> Self:
        """Any file is in this layout."""
        rows = sample.rows
        width = len(rows[0]) if rows else max((len(columns_of(line)) for line in sample.comments), default=1)
        if width == 1:
            return cls(1, None, frozenset())
        is_last = all(is_bio(row[-1]) for row in rows)  # even where nothing is an entity: chunks stand before it
        tag = width - 1 if is_last else (sample.bio_columns() or [width - 1])[-1]
        return cls(width, tag, frozenset(row[tag] for row in rows if len(row) > tag))

    def is_comment(self, line: str, columns: Columns) -> bool:
        """A line that begins with ``#`` and is not like a word with its tag: ``#tarn B-LOC`` and ``# O`` are words."""
        if not line.startswith("#"):
            return False
        if self._tag is None:
            return len(columns) > 1
        return len(columns) != self._width or not (columns[self._tag] in self._known_tags or is_bio(columns[self._tag]))

    def word(self, columns: Columns) -> str:
        """The first column."""
        return columns[0]

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """As they stand."""
        return (("" if self._tag is None else row[self._tag]) for row in rows)
