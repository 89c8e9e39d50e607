"""Tables for a terminal and for Markdown."""

from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from ctxlab.core.types import Table

SENTENCE_CHARS = 40
"""Characters above which a cell is no figure or name."""

NARROW = 24
"""Characters to which a column of names or sentences may shrink in a narrow terminal."""

MOST_TURNED = 3
"""Rows of a table that may be turned on its side."""


def cell(value: Any) -> str:
    """A value as people read it: four significant places at most, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def show(console: Console, table: Table) -> None:
    """Print a table so that no figure is cut: boxed, else without lines, else turned on its side."""
    for boxed in (True, False):
        if _least_width(table, boxed=boxed) <= console.width:
            console.print(_drawn(table, boxed=boxed))
            return
    turned = _turned(table) if 0 < len(table.rows) <= MOST_TURNED else table
    console.print(_drawn(turned, boxed=_least_width(turned, boxed=True) <= console.width))


def _drawn(table: Table, *, boxed: bool) -> RichTable:
    lines = {"box": box.HEAVY_HEAD} if boxed else {"box": box.SIMPLE_HEAD, "show_edge": False, "padding": (0, 1, 0, 0)}
    drawn = RichTable(
        title=table.title, caption=table.note or None, title_justify="left", caption_justify="left", **lines
    )
    for index, name in enumerate(table.columns):
        justify: Literal["left", "right"] = "left" if _is_text(table, index) else "right"
        drawn.add_column(name, justify=justify, overflow="fold", no_wrap=not _is_text(table, index))
    for row in table.rows:
        drawn.add_row(*(cell(value) for value in row))
    return drawn


def _least_width(table: Table, *, boxed: bool) -> int:
    """Columns of a terminal in which no figure or name is broken: sentences give way down to ``NARROW``."""
    each = (max(map(len, _texts(table, index))) for index in range(len(table.columns)))
    inner = sum(min(width, NARROW) if _is_text(table, index) else width for index, width in enumerate(each))
    return inner + (3 * len(table.columns) + 1 if boxed else 2 * len(table.columns))


def _texts(table: Table, index: int) -> list[str]:
    return [table.columns[index], *(cell(row[index]) for row in table.rows)]


def _turned(table: Table) -> Table:
    """Each column as a row: few rows of many columns become many of few."""
    rows = [[name, *values] for name, values in zip(table.columns, zip(*table.rows, strict=True), strict=True)]
    return Table(table.name, table.title, [str(value) for value in rows[0]], rows[1:], table.note)


def markdown(table: Table) -> str:
    """A table as Markdown, under its title."""
    sides = ["---" if _is_text(table, index) else "---:" for index in range(len(table.columns))]
    lines = [f"### {table.title}", "", _line(table.columns), _line(sides)]
    lines += [_line([cell(value).replace("|", "\\|") for value in row]) for row in table.rows]
    return "\n".join([*lines, *(["", table.note] if table.note else []), ""])


def _is_text(table: Table, index: int) -> bool:
    """Whether a column begins at the left: names, and whole sentences."""
    return index == 0 or any(len(cell(row[index])) > SENTENCE_CHARS for row in table.rows)


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"
