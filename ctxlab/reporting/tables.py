"""Tables for a terminal and for Markdown."""

from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from ctxlab.core.types import Table

SENTENCE_CHARS = 40
"""Characters above which a cell is no figure or name."""


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
    """Print a table."""
    drawn = RichTable(title=table.title, caption=table.note or None, title_justify="left", caption_justify="left")
    for index, name in enumerate(table.columns):
        drawn.add_column(name, justify="left" if _is_text(table, index) else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(cell(value) for value in row))
    console.print(drawn)


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
