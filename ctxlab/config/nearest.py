"""Did you mean: the nearest known name, and all of them."""

from collections.abc import Iterable
from difflib import get_close_matches

CUTOFF = 0.5
"""Similarity below which a guess would only confuse."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice most like ``word``, or None."""
    matches = get_close_matches(word, list(choices), n=1, cutoff=CUTOFF)
    return matches[0] if matches else None


def suggestion(word: str, choices: Iterable[str], what: str = "choices") -> str:
    """The end of a sentence about an unknown ``word``: ``; did you mean 'ner'? Choices: ner, qa.``"""
    names = list(choices)
    guess = nearest(word, names)
    listed = f"{what}: {', '.join(names)}." if names else ""
    if guess:
        return f"; did you mean '{guess}'? {listed[:1].upper()}{listed[1:]}"
    return f"; {listed}" if listed else "."
