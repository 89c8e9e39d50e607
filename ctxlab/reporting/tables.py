"""Draws tables in a terminal and in Markdown."""

from dataclasses import dataclass
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable

from ctxlab.core.types import Table

SENTENCE_CHARS = 40
"""Number of characters above which a cell counts as a sentence."""

NARROW = 24
"""Minimum width in characters of a column of names or sentences in a narrow terminal."""

MOST_TURNED = 3
"""Maximum number of rows of a table that may be transposed."""


def cell(value: Any) -> str:
    """Format a value for a cell: at most three decimals, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is drawn."""

    boxed: bool
    """Whether cells have borders."""
    stacked: bool
    """Whether headers of several words have one line per word."""


LAYOUTS = (Layout(boxed=True, stacked=False), Layout(boxed=False, stacked=False), Layout(boxed=False, stacked=True))
"""From the widest to the narrowest."""


def show(console: Console, table: Table) -> None:
    """Print a table in the widest layout that fits; one of few rows is turned on its side where none does."""
    fitting = [layout for layout in LAYOUTS if _least_width(table, layout) <= console.width]
    if not fitting and 0 < len(table.rows) <= MOST_TURNED:
        table = _turned(table)
        fitting = [layout for layout in LAYOUTS if _least_width(table, layout) <= console.width]
    console.print(_drawn(table, fitting[0] if fitting else LAYOUTS[-1], breaks=not fitting))


def fits(table: Table, width: int) -> bool:
    """Return whether the table can be drawn in so many columns without breaking a name or a figure."""
    return _least_width(table, LAYOUTS[-1]) <= width


def _drawn(table: Table, layout: Layout, *, breaks: bool) -> RichTable:
    """Return the table in a layout; ``breaks`` allows line breaks within figures, where nothing else fits."""
    drawn = RichTable(title=table.title, caption=table.note or None, title_justify="left", caption_justify="left")
    if not layout.boxed:
        drawn.box, drawn.show_edge, drawn.padding = box.SIMPLE_HEAD, False, (0, 1, 0, 0)
    for index, name in enumerate(table.columns):
        is_text = _is_text(table, index)
        head = name.replace(" ", "\n") if layout.stacked else name
        drawn.add_column(head, justify="left" if is_text else "right", overflow="fold", no_wrap=not (is_text or breaks))
    for row in table.rows:
        drawn.add_row(*(cell(value) for value in row))
    return drawn


def _least_width(table: Table, layout: Layout) -> int:
    """Return the least terminal width at which no figure or name is broken: sentences shrink down to ``NARROW``."""
    inner = 0
    for index, name in enumerate(table.columns):
        heads = name.split(" ") if layout.stacked else [name]
        longest = max(map(cell_len, [*heads, *(cell(row[index]) for row in table.rows)]))
        inner += min(longest, NARROW) if _is_text(table, index) else longest
    return inner + (3 * len(table.columns) + 1 if layout.boxed else 2 * len(table.columns))


def _turned(table: Table) -> Table:
    """Transpose the table: few rows of many columns become many rows of few columns."""
    rows = [[name, *values] for name, values in zip(table.columns, zip(*table.rows, strict=True), strict=True)]
    return Table(table.name, table.title, columns=[str(value) for value in rows[0]], rows=rows[1:], note=table.note)


def markdown(table: Table) -> str:
    """Return a table as Markdown, under its title."""
    sides = ["---" if _is_text(table, index) else "---:" for index in range(len(table.columns))]
    lines = [f"### {table.title}", "", _line(table.columns), _line(sides)]
    lines += [_line([cell(value).replace("|", "\\|") for value in row]) for row in table.rows]
    return "\n".join([*lines, *(["", table.note] if table.note else []), ""])


def _is_text(table: Table, index: int) -> bool:
    """Whether a column is left-aligned: names, and sentences."""
    return index == 0 or any(len(cell(row[index])) > SENTENCE_CHARS for row in table.rows)


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"
