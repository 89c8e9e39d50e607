"""OntoNotes in the format of CoNLL 2011 and 2012: at least eleven columns, entities in brackets across lines."""

from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample

WORD, ENTITY, LEAST = 3, 10, 12
"""Indices of the columns of words and entities, and minimum number of columns; arguments of verbs add more."""

BEGIN = "#begin document"


class OntoNotes(Layout):
    """Recognised by ``#begin document``; ``(PERSON*`` begins an entity, ``*)`` ends it, ``(GPE)`` does both."""

    name = "OntoNotes"
    same_width = False
    least = LEAST

    @classmethod
    def of(cls, sample: Sample) -> Self | None:
        """Return the layout if the file has a line ``#begin document`` and rows have enough columns."""
        begins = any(line.startswith(BEGIN) for line in sample.comments)
        rows = sample.rows
        return cls() if begins and rows and all(len(row) >= LEAST for row in rows) else None

    def starts_document(self, line: str, columns: Columns) -> bool:
        """Return whether the line begins a part, each of which is a document."""
        del columns
        return line.startswith(BEGIN)

    def word(self, columns: Columns) -> str:
        """Return the fourth column."""
        return columns[WORD]

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """Convert brackets to BIO tags; an entity ends with its sentence at the latest."""
        open_type = ""
        for row in rows:
            cell = row[ENTITY]
            begins = cell.startswith("(")
            if begins:
                open_type = cell.lstrip("(").split("(")[0].rstrip("*)")  # the outermost of several
            yield f"{'B' if begins else 'I'}-{open_type}" if open_type else "O"
            if cell.endswith(")"):
                open_type = ""
