"""Tables as a terminal shows them: no figure is cut, whatever its width."""

import io

import pytest
from rich.console import Console

from ctxlab.core.types import Table
from ctxlab.reporting.tables import cell, show

NAMES = ("precision", "recall", "macro f1", "coverage", "tokens per second", "peak memory", "low", "high")


def shown(table, width):
    screen = Console(file=io.StringIO(), width=width, markup=False)
    show(screen, table)
    return screen.file.getvalue()


def table(num_columns, num_rows, first="a name"):
    rows = [[first, *(1234.5678 + row + column for column in range(num_columns))] for row in range(num_rows)]
    return Table("t", "A title", ("name", *(NAMES[column % 8] for column in range(num_columns))), rows)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("num_columns", [1, 4, 6, 8, 12])
@pytest.mark.parametrize("num_rows", [1, 3, 40])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width, num_columns, num_rows):
    given = table(num_columns, num_rows)
    text = shown(given, width)
    assert max(map(len, text.splitlines())) <= width
    if num_columns <= 8 or num_rows <= 3:
        for row in given.rows:
            for value in row:
                assert cell(value) in text


@pytest.mark.parametrize(("num_columns", "lines"), [(4, 1 + 2 + 3), (6, 1 + 2 + 1), (8, 1 + 4 + 1), (12, 1 + 13 + 3)])
def test_a_table_loses_its_box_and_stacks_its_heads_before_it_is_turned_on_its_side(num_columns, lines):
    """Title, head and rows, then lines of the box: of six columns one is left, of eight the head has three words."""
    assert len(shown(table(num_columns, 1), 80).splitlines()) == lines


def test_a_path_is_folded_and_nothing_of_it_is_lost():
    path = "/a/long/path/" + "folder/" * 20 + "step-00000012"
    text = shown(Table("t", "A title", ("what", "value"), [("f1", 0.5), ("checkpoint", path)]), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert path in text.replace("\n", "").replace("│", "").replace(" ", "").replace("checkpoint", "", 1)


def test_what_stands_in_brackets_is_text(capsys):
    from ctxlab.tracking.console import console

    show(console(), Table("t", "labels [a, b]", ("label", "f1"), [("[bold]", 0.5), (":smile:", 0.5)]))
    text = capsys.readouterr().out
    for part in ("labels [a, b]", "[bold]", ":smile:"):
        assert part in text
