"""Places of words in tables with one word or one cell per row: boxes on a page, or cells of a table."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.numbers import BOX, LARGEST

CELL = ("row", "column")
"""Names of the columns with the place of a cell, both counted from 0 or both from 1."""


class Places:
    """Reads the places of words from the columns of a table that has some."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        """Take the names of columns by their names in lower case."""
        self.sides = [columns[name] for name in BOX[:-1] if name in columns]
        self.page = columns.get(BOX[-1])
        self.cell = [columns[name] for name in CELL if name in columns]
        self.has_boxes, self.has_cells = len(self.sides) == len(BOX) - 1, len(self.cell) == len(CELL)

    @property
    def has_any(self) -> bool:
        """Whether the table has places."""
        return self.has_boxes or self.has_cells

    def of(self, row: Record) -> list[float]:
        """Return the box of a word, or row and column of a cell.

        Raises:
            UserError: A cell of the file is no number; names line and column.
        """
        if not self.has_boxes:
            return [_number(row, name, whole=True) for name in self.cell]
        page = [] if self.page is None else [_number(row, self.page, whole=True)]
        return [*(_number(row, name) for name in self.sides), *page]

    def boxes(self, places: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return the boxes of a document's words; those of cells divide the page evenly, as their table does."""
        if self.has_boxes:
            return [list(place) for place in places]
        edges = [_edges([place[side] for place in places]) for side in (0, 1)]
        return [
            [left, top, right, bottom, 0]
            for (top, bottom), (left, right) in ((edges[0][row], edges[1][column]) for row, column in places)
        ]


def _edges(numbers: Sequence[float]) -> dict[float, tuple[int, int]]:
    """Return begin and end of each row or column by its number."""
    first, last = min(numbers), max(numbers)
    count = int(last - first) + 1
    cuts = [LARGEST * place // count for place in range(count + 1)]
    return {first + place: pair for place, pair in enumerate(pairwise(cuts))}


def _number(row: Record, name: str, *, whole: bool = False) -> float:
    cell: Any = row.fields[name]
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = float("nan")
    if not (value >= 0 and (not whole or value == int(value))):
        what = "a whole number, 0 or more" if whole else "a number, 0 or more"
        raise UserError(f"The column '{name}' of {row.origin} is {str(cell)[:40]!r}: give {what}.")
    return value
