"""Text that fits the terminal: its width, and the characters of its encoding."""

import codecs
import contextlib
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

NARROWEST, WIDEST, USUAL = 60, 100, 80
"""Columns to which help is wrapped: minimum, maximum, and without a terminal."""

SPELLED = {
    "·": "-", "–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "×": "x", "≥": ">=", "≤": "<=", "’": "'", "“": '"',
    "”": '"',
}  # fmt: skip
"""Characters that this program prints → ASCII; any other missing character is shown by its code point."""

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
    """Print characters that the terminal's encoding lacks in ASCII instead of raising, until the end of the block."""
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
    """Return the number of columns to which help is wrapped."""
    return min(max(shutil.get_terminal_size((USUAL, 24)).columns, NARROWEST), WIDEST)


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Wrap a text into lines indented by ``indent`` spaces; no word is cut."""
    blanks = " " * indent
    return textwrap.wrap(
        text, width(), initial_indent=blanks, subsequent_indent=blanks, break_long_words=False, break_on_hyphens=False
    )


def command(line: str, indent: int = 2) -> list[str]:
    """Wrap a command into lines that a shell joins."""
    lines = textwrap.wrap(
        line, width() - 2, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [*(f"{one} \\" for one in lines[:-1]), *lines[-1:]]


def shortened(text: str, columns: int) -> str:
    """Return the text, cut with an ellipsis if it is too long."""
    return text if len(text) <= columns else f"{text[: columns - 1].rstrip()}…"


def two_columns(rows: Iterable[tuple[str, str]], column: int | None = None, indent: int = 2) -> list[str]:
    """Format names and descriptions in two columns; a name too wide for its column has a line of its own.

    Args:
        rows: Left and right texts.
        column: Column of the right texts; None for two spaces after the longest name, at most a third of the width.
        indent: Spaces before the names.
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
