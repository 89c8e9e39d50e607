"""The tag in the first of two columns and the word in the second (the MIT restaurant and movie corpora)."""

from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample, is_bio


class TagFirst(Layout):
    """Recognised by a first column of BIO tags and a second column without."""

    name = "tag first"

    @classmethod
    def of(cls, sample: Sample) -> Self | None:
        """Return the layout if every row has two columns, and only the first has BIO tags."""
        rows = sample.rows
        fits = bool(rows) and all(len(row) == 2 and is_bio(row[0]) for row in rows)
        entities = fits and any(row[0] != "O" for row in rows)
        return cls() if entities and not all(is_bio(row[1]) for row in rows) else None

    def word(self, columns: Columns) -> str:
        """Return the second column."""
        return columns[1]

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """Return the first column."""
        return (row[0] for row in rows)
