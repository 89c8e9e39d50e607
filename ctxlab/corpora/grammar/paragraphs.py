"""Joins sentences to running text in paragraphs."""

from collections.abc import Sequence

SENTENCES_PER_PARAGRAPH = 6

_NO_BLANK_BEFORE = (".", ",", ";", ":", "?", "!", "'s")
"""Words that have no blank before them."""


def is_fillable(room: int) -> bool:
    """Return whether ``room`` words can be filled exactly: a sentence has at least two."""
    return room == 0 or room >= 2


def joined(words: Sequence[str], starts: Sequence[int]) -> tuple[str, list[int]]:
    """Join words to running text in paragraphs; returns it with the first character of each word."""
    paragraphs = set(starts[SENTENCES_PER_PARAGRAPH::SENTENCES_PER_PARAGRAPH])
    pieces: list[str] = []
    places, length, quoted, opened = [], 0, False, True
    for index, word in enumerate(words):
        closes = word == '"' and quoted
        between = "" if opened or closes or word in _NO_BLANK_BEFORE else " "
        between = "\n\n" if index in paragraphs else between
        pieces += [between, word]
        places.append(length + len(between))
        length += len(between) + len(word)
        quoted = quoted != (word == '"')
        opened = word == '"' and quoted
    return "".join(pieces) + "\n", places
