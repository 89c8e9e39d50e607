"""A picture of one explanation over its text."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctxlab.reporting import png
from ctxlab.reporting.explanations.drawing import LEVELS, Piece, finest, pieces

COLUMNS, MOST_LINES = 92, 44
"""Characters of a line, and lines of the picture; a longer text is cut around its largest value."""

INCHES_PER_COLUMN, INCHES_PER_LINE = 0.083, 0.22

FOR, AGAINST = "#3d9be0", "#ee8a3c"


def draw(path: Path, line: Mapping[str, Any], target: Mapping[str, Any]) -> Path:
    """Draw a target of a document.

    Args:
        path: File of the picture.
        line: The document's line of ``explanations.jsonl``.
        target: One of its targets.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    rows = _visible(list(wrapped(pieces(line["text"], target[finest(target)], target))))
    figure = pyplot.figure(figsize=(COLUMNS * INCHES_PER_COLUMN, (len(rows) + 3) * INCHES_PER_LINE))
    axes = figure.add_axes((0.02, 0.0, 0.96, 1.0))
    axes.set(xlim=(0, COLUMNS), ylim=(len(rows) + 1, -2))
    axes.axis("off")
    size = 72 * INCHES_PER_COLUMN * 0.96 / 0.602  # a character of DejaVu Sans Mono is 0.602 em wide
    axes.text(0, -1, _plain(f"{line['id']} · {target['name']}")[:COLUMNS], weight="bold", size=9, va="center")
    for number, row in enumerate(rows):
        _draw_row(axes, number, row, size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as boxes
        return png.save(figure, path)


def _draw_row(axes: Any, number: int, row: Sequence[tuple[int, str, Piece]], size: float) -> None:
    """Draw a line.

    Args:
        axes: Where one unit is a character wide and a line high.
        number: Number of the line.
        row: Column, text and piece of each part of it.
        size: Size of the font, in points.
    """
    from matplotlib.patches import Rectangle

    for column, text, piece in row:
        color = FOR if piece.level > 0 else AGAINST
        if piece.level:
            shade = abs(piece.level) / LEVELS
            axes.add_patch(Rectangle((column, number - 0.45), len(text), 0.9, color=color, alpha=0.85 * shade, lw=0))
        if piece.marked:
            axes.add_patch(Rectangle((column, number - 0.45), len(text), 0.9, fill=False, ec="black", lw=0.8))
        if piece.evidence:
            axes.plot([column, column + len(text)], [number + 0.42] * 2, ":", color="#0b62a8", lw=1.2)
        axes.text(column, number, _plain(text), family="monospace", size=size, va="center", parse_math=False)


def wrapped(parts: Sequence[Piece]) -> Iterator[list[tuple[int, str, Piece]]]:
    """Yield lines of at most ``COLUMNS`` characters: column, text and piece of each part."""
    row: list[tuple[int, str, Piece]] = []
    column = 0
    for piece in parts:
        for word in _words(piece.text):
            if word == "\n" or (column + len(word) > COLUMNS and column):
                yield row
                row, column = [], 0
            if word.isspace() and not column:
                continue
            for start in range(0, len(word), COLUMNS):
                text = word[start : start + COLUMNS]
                if column + len(text) > COLUMNS:
                    yield row
                    row, column = [], 0
                row.append((column, text, piece))
                column += len(text)
    if row:
        yield row


def _words(text: str) -> Iterator[str]:
    """Yield words and the white space between them; line ends are alone."""
    for number, line in enumerate(text.split("\n")):
        if number:
            yield "\n"
        start = 0
        for place in range(1, len(line) + 1):
            if place == len(line) or line[place].isspace() != line[place - 1].isspace():
                yield line[start:place]
                start = place


def _visible(rows: list[list[tuple[int, str, Piece]]]) -> list[list[tuple[int, str, Piece]]]:
    """Return the lines around the largest value."""
    if len(rows) <= MOST_LINES:
        return rows
    best = max(range(len(rows)), key=lambda i: max((abs(piece.level) for _, _, piece in rows[i]), default=0))
    start = min(max(best - MOST_LINES // 2, 0), len(rows) - MOST_LINES)
    return rows[start : start + MOST_LINES]


def _plain(text: str) -> str:
    """Return a text without control characters, which fonts have no glyph for."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
