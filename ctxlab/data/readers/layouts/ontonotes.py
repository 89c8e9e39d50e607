"""OntoNotes as CoNLL 2011 and 2012 wrote it: eleven columns and more, entities in brackets over lines."""

from collections.abc import Iterator, Sequence
from typing import Self

from ctxlab.data.readers.layouts.base import Columns, Layout, Sample

WORD, ENTITY, LEAST = 3, 10, 12
"""Places of the word and the entities, and how many columns there are at least; arguments of verbs add more."""

BEGIN = "#begin document"


class OntoNotes(Layout):
    """Recognised by ``#begin document``; ``(PERSON*`` opens an entity, ``*)`` closes it, ``(GPE)`` does both."""

    name = "OntoNotes"
    same_width = False

    @classmethod
    def of(cls, sample: Sample) -> Self | None:
        """Where the file says that a document begins, and rows are wide enough."""
        begins = any(line.startswith(BEGIN) for line in sample.comments)
        rows = sample.rows
        return cls() if begins and rows and all(len(row) >= LEAST for row in rows) else None

    def starts_document(self, line: str, columns: Columns) -> bool:
        """Each part is one document."""
        del columns
        return line.startswith(BEGIN)

    def word(self, columns: Columns) -> str:
        """The fourth column."""
        return columns[WORD]

    def tags(self, rows: Sequence[Columns]) -> Iterator[str]:
        """Brackets as BIO tags; an entity ends with its sentence at the latest."""
        open_type = ""
        for row in rows:
            cell = row[ENTITY]
            begins = cell.startswith("(")
            if begins:
                open_type = cell.lstrip("(").split("(")[0].rstrip("*)")  # the outermost of several
            yield f"{'B' if begins else 'I'}-{open_type}" if open_type else "O"
            if cell.endswith(")"):
                open_type = ""
