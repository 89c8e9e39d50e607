"""Suggestions for unknown names: the nearest known name, and the list of choices."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

CUTOFF = 0.5
"""Minimum similarity of a suggestion."""


def nearest(word: str, choices: Iterable[str], cutoff: float = CUTOFF) -> str | None:
    """Return the choice most similar to ``word``, or None."""
    matches = get_close_matches(word, list(choices), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def folded(word: str) -> str:
    """Return the word in lower case with underscores, as names are written here: ``Batch-Size`` → ``batch_size``."""
    return word.casefold().replace("-", "_")


def suggestion(word: str, choices: Iterable[str], what: str = "choices") -> str:
    """Return the end of a sentence about an unknown ``word``: ``; did you mean 'ner'? Choices: ner, qa.``"""
    names = list(choices)
    return described(nearest(word, names) or nearest(folded(word), names), names, what)


def described(guess: str | None, names: Sequence[str], what: str) -> str:
    """Return the same for a given ``guess``."""
    listed = f"{what}: {', '.join(names)}." if names else ""
    if guess:
        return f"; did you mean '{guess}'? {listed[:1].upper()}{listed[1:]}".rstrip()
    return f"; {listed}" if listed else "."


def either(forms: Sequence[str]) -> str:
    """Return ``a``, ``a or b``, or ``a, b or c``."""
    return f"{', '.join(forms[:-1])} or {forms[-1]}" if len(forms) > 1 else forms[0]
