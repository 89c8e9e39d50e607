"""What a layout of columns says: which lines are rows, and where their word and tag are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

Columns = Sequence[str]
"""Cells of one line."""

SAMPLE_LINES = 5000
"""Lines by which a layout is recognised."""

DOCUMENT_START = "-DOCSTART-"

_BIO = re.compile(r"O|[BIESLUMW]-\S+")


def columns_of(line: str) -> list[str]:
    """Cells of a line, separated by tabs, or by blanks in a line without a tab."""
    # Not str.split(): a token may be a no-break space or another blank that is not ASCII.
    columns = line.split("\t") if "\t" in line.strip(" \t") else line.strip(" \t").split(" ")
    columns = [column.strip(" ") for column in columns]
    return [column for column in columns if column]


def is_bio(cell: str) -> bool:
    """Whether ``cell`` is a tag of BIO or one of its kin (BIOES, BILOU, BMES)."""
    return _BIO.fullmatch(cell) is not None


@dataclass(frozen=True, slots=True)
class Sample:
    """The first lines of a file, as far as a layout needs them to recognise itself."""

    sentences: list[list[list[str]]] = field(default_factory=list)
    """Rows of each sentence; lines that begin with ``#`` or ``-DOCSTART-`` are none."""
    comments: list[str] = field(default_factory=list)
    """Lines that begin with ``#``."""

    @classmethod
    def of(cls, lines: Sequence[str]) -> Self:
        """Of the first ``SAMPLE_LINES`` lines."""
        sample = cls()
        sentence: list[list[str]] = []
        for line in [*lines[:SAMPLE_LINES], ""]:
            columns = columns_of(line)
            if line.startswith("#"):
                sample.comments.append(line)
            elif columns and columns[0] != DOCUMENT_START:
                sentence.append(columns)
            elif sentence:
                sample.sentences.append(sentence)
                sentence = []
        return sample

    @property
    def rows(self) -> list[list[str]]:
        """All of them."""
        return [row for sentence in self.sentences for row in sentence]

    def bio_columns(self) -> list[int]:
        """Columns behind the first one that are BIO tags in every row, one of them an entity's."""
        rows = self.rows
        if not rows or len({len(row) for row in rows}) > 1:
            return []
        return [place for place in range(1, len(rows[0])) if _is_tags([row[place] for row in rows])]


def _is_tags(cells: Sequence[str]) -> bool:
    return all(map(is_bio, cells)) and any(cell != "O" for cell in cells)


class Layout:
    """A way to write one word a line; ``of`` gives an instance where a sample is in this layout."""

    name: str
    same_width = True
    """Whether every row has as many columns as the first."""

    @classmethod
    def of(cls, sample: Sample) -> Self | None:
        """The layout as ``sample`` uses it, None where it does not."""
        raise NotImplementedError

    def is_comment(self, line: str, columns: Columns) -> bool:
        """Whether a line holds no word."""
        del columns
        return line.startswith("#")

    def starts_document(self, line: str, columns: Columns) -> bool:
        """Whether a line says that a document begins; such a line holds no word."""
        del line
        return columns[0] == DOCUMENT_START

    def word(self, columns: Columns) -> str | None:
        """The word of a row; None where the row stands for no word of its own."""
        raise NotImplementedError

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """The BIO tag of each row of a sentence, empty where it has none."""
        raise NotImplementedError
