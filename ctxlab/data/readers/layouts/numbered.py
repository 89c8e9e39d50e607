"""A column with the number of the word in its sentence, then the word (GermEval 2014, Universal NER)."""

from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample


class Numbered(Layout):
    """Recognised by a first column of numbers, of words or sentences, followed by at least two more columns.

    Of two columns of tags after the word (GermEval: outer and nested entities) the first is read; otherwise the last
    column of BIO tags.
    """

    name = "numbered"

    def __init__(self, tag: int | None) -> None:
        """Store the index of the column of tags; None if there is none."""
        self._tag = tag

    @classmethod
    def of(cls, sample: Sample) -> Self | None:
        """Return the layout if every row has a number, a word and another column."""
        rows = sample.rows
        if not rows or any(len(row) < 3 or not row[0].isdecimal() for row in rows):
            return None
        if all(row[1].isdecimal() for row in rows):  # a table of figures
            return None
        places = [place for place in sample.bio_columns() if place > 1]
        outer = places[:1] if len(rows[0]) == 4 and places == [2, 3] else places[-1:]
        return cls(outer[0] if outer else None)

    def word(self, columns: Columns) -> str:
        """Return the second column."""
        return columns[1]

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """Return the tags unchanged; empty if no column has BIO tags."""
        return (("" if self._tag is None else row[self._tag]) for row in rows)
