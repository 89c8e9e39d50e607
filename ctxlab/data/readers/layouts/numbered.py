"""The number of the word in its sentence first, then the word (GermEval 2014, Universal NER)."""

from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample


class Numbered(Layout):
    """Recognised by a first column that counts words up from 0 or 1, in each sentence or through the file.

    Of two columns of tags behind the word (GermEval: outer and nested entities) the first is read; else the last
    column of BIO tags, as where no number stands in front.
    """

    name = "numbered"

    def __init__(self, tag: int | None) -> None:
        """Take the place of the tag, None where there is none."""
        self._tag = tag

    @classmethod
    def of(cls, sample: Sample) -> Self | None:
        """Where every row has a number, a word, and something else."""
        rows = sample.rows
        if not rows or any(len(row) < 3 for row in rows) or not _counts(sample.sentences):
            return None
        places = [place for place in sample.bio_columns() if place > 1]
        outer = places[:1] if len(rows[0]) == 4 and places == [2, 3] else places[-1:]
        return cls(outer[0] if outer else None)

    def word(self, columns: Columns) -> str:
        """The second column."""
        return columns[1]

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """As they stand; none where no column is BIO tags."""
        return (("" if self._tag is None else row[self._tag]) for row in rows)


def _counts(sentences: Sequence[Sequence[Columns]]) -> bool:
    """Whether first columns are numbers that go up by one."""
    before: int | None = None
    for sentence in sentences:
        for place, row in enumerate(sentence):
            if not row[0].isdecimal():
                return False
            number = int(row[0])
            follows = before is not None and number == before + 1
            if not follows and not (place == 0 and number in (0, 1)):
                return False
            before = number
    return True
