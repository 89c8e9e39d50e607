"""Lists of insults and coarse words: the words of a file, with underscores for blanks, and comments after ``#``."""

from collections.abc import Sequence
from pathlib import Path

from ctxlab.audit.lists.words import FOLDER, TOXIC
from ctxlab.config.nearest import suggestion
from ctxlab.core.errors import UserError
from ctxlab.text.units import find_words


def shipped() -> list[str]:
    """Return the names of ctxlab's lists."""
    return sorted(path.stem for path in FOLDER.glob(f"{TOXIC}*.txt"))


def read_words(names: Sequence[str] | None) -> list[str]:
    """Return the words of lists by name or file; None for all of ctxlab's.

    Raises:
        UserError: A list does not exist, or has no words.
    """
    return list(dict.fromkeys(word for name in (shipped() if names is None else names) for word in _words(name)))


def _words(name: str) -> list[str]:
    own = FOLDER / f"{name}.txt"
    path = own if name in shipped() else Path(name).expanduser()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        hint = suggestion(name, shipped(), "lists of ctxlab")
        raise UserError(f"There is no list of words '{name}', neither of ctxlab nor a readable file{hint}") from None
    words = [word.replace("_", " ") for line in lines if not line.startswith("#") for word in line.split()]
    if not words:
        raise UserError(f"{path} has no words: write some, separated by blanks or lines.")
    return words


def hits(text: str, words: Sequence[str]) -> list[str]:
    """Return the words that occur in a text as whole words, ignoring case."""
    small = text.casefold()
    return [word for word in words if word.casefold() in small and find_words(text, word)]
