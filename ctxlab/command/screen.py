"""Text that fits the terminal it is printed on: its width, and the letters that it knows."""

import codecs
import contextlib
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

NARROWEST, WIDEST, USUAL = 60, 100, 80
"""Columns that help is wrapped to at least, at most, and where there is no terminal."""

SPELLED = {
    "·": "-", "–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "×": "x", "≥": ">=", "≤": "<=", "’": "'", "“": '"',
    "”": '"',
}  # fmt: skip
"""Signs that this program prints, in ASCII; any other letter that the terminal lacks is shown by its number."""

_HANDLER = "ctxlab_spelled"


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    spelled = "".join(SPELLED.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in missing)
    return spelled, error.end


codecs.register_error(_HANDLER, _spell)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """Within it no letter that the terminal's encoding lacks ends the program: it is spelled in ASCII instead."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            changed.append((reconfigure, stream.errors))
            reconfigure(errors=_HANDLER)
    try:
        yield
    finally:
        for reconfigure, errors in changed:
            with contextlib.suppress(ValueError):  # closed in the meantime
                reconfigure(errors=errors)


def width() -> int:
    """Columns that help is wrapped to."""
    return min(max(shutil.get_terminal_size((USUAL, 24)).columns, NARROWEST), WIDEST)


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Lines of the text, each after ``indent`` blanks; no word is cut."""
    blanks = " " * indent
    return textwrap.wrap(
        text, width(), initial_indent=blanks, subsequent_indent=blanks, break_long_words=False, break_on_hyphens=False
    )


def command(line: str, indent: int = 2) -> list[str]:
    """A command in lines that a shell joins again."""
    lines = textwrap.wrap(
        line, width() - 2, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [*(f"{one} \\" for one in lines[:-1]), *lines[-1:]]


def shortened(text: str, columns: int) -> str:
    """The text, or as much of it as fits before an ellipsis."""
    return text if len(text) <= columns else f"{text[: columns - 1].rstrip()}…"


def two_columns(rows: Iterable[tuple[str, str]], column: int | None = None, indent: int = 2) -> list[str]:
    """Names and what they are, wrapped in a column of its own; a name too wide for its column has a line of its own.

    Args:
        rows: Left and right texts.
        column: Where the right texts begin; None for two blanks after the longest name, a third of the width at most.
        indent: Blanks before the names.
    """
    pairs = list(rows)
    longest = max((len(left) for left, _ in pairs), default=0)
    begin = column if column is not None else min(indent + longest + 2, width() // 3)
    lines: list[str] = []
    for left, right in pairs:
        first, *rest = wrapped(right, begin) or [""]
        name = " " * indent + left
        lines += [f"{name:<{begin}}{first[begin:]}".rstrip()] if len(name) + 2 <= begin else [name, first]
        lines += rest
    return [line for line in lines if line]
