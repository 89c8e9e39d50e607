"""Layouts of column files: which lines are rows, and which columns have word and tag."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from ctxlab.core.contract import Component

Columns = Sequence[str]
"""Cells of one line."""

SAMPLE_LINES = 5000
"""Number of lines from which a layout is recognised."""

DOCUMENT_START = "-DOCSTART-"

_BIO = re.compile(r"O|[BIESLUMW]-\S+")


def columns_of(line: str) -> list[str]:
    """Return the cells of a line, separated by tabs, or by spaces in a line without a tab."""
    # Not str.split(): a token may be a no-break space or another blank that is not ASCII.
    columns = line.split("\t") if "\t" in line.strip(" \t") else line.strip(" \t").split(" ")
    columns = [column.strip(" ") for column in columns]
    return [column for column in columns if column]


def is_bio(cell: str) -> bool:
    """Return whether ``cell`` is a tag of BIO or a variant (BIOES, BILOU, BMES)."""
    return _BIO.fullmatch(cell) is not None


@dataclass(frozen=True, slots=True)
class Sample:
    """The first lines of a file, by which layouts are recognised."""

    sentences: list[list[list[str]]] = field(default_factory=list)
    """Rows of each sentence, without lines that begin with ``#`` or ``-DOCSTART-``."""
    comments: list[str] = field(default_factory=list)
    """Lines that begin with ``#``."""

    @classmethod
    @abstractmethod
    def of(cls, lines: Sequence[str]) -> Self:
        """Take the first ``SAMPLE_LINES`` lines."""
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
        """Return all rows."""
        return [row for sentence in self.sentences for row in sentence]

    def bio_columns(self) -> list[int]:
        """Return the columns after the first that are BIO tags in every row, with at least one entity."""
        rows = self.rows
        if not rows or len({len(row) for row in rows}) > 1:
            return []
        return [place for place in range(1, len(rows[0])) if _is_tags([row[place] for row in rows])]


def _is_tags(cells: Sequence[str]) -> bool:
    return all(map(is_bio, cells)) and any(cell != "O" for cell in cells)


class Layout(Component, ABC):
    """A layout with one word per line; ``of`` returns an instance if a sample is in this layout."""

    name: str
    same_width = True
    """Whether every row has as many columns as the first."""
    least = 1
    """Least number of columns of a row, where their number may vary."""

    @classmethod
    @abstractmethod
    def of(cls, sample: Sample) -> Self | None:
        """Return the layout as ``sample`` uses it, or None."""

    def is_comment(self, line: str, columns: Columns) -> bool:
        """Return whether a line has no word."""
        del columns
        return line.startswith("#")

    def starts_document(self, line: str, columns: Columns) -> bool:
        """Return whether a line starts a document; such a line has no word."""
        del line
        return columns[0] == DOCUMENT_START

    @abstractmethod
    def word(self, columns: Columns) -> str | None:
        """Return the word of a row; None for a row without a word of its own."""

    @abstractmethod
    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """Return the BIO tag of each row of a sentence, empty if it has none."""
