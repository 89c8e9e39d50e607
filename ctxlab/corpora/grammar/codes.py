"""Meaningless words of two-letter syllables, and fixed lists of numbers."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.draw import Draw

SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")

_STEP = 6180339887
"""Coprime to 9, 90, 900, …, so that its multiples are different and spread numbers."""


def codes(count: int, draw: Draw, syllables: int = 2) -> list[str]:
    """Draw ``count`` different words of at least ``syllables`` syllables, more where there are not enough words.

    All have the same length, so that none is a part of another.
    """
    while len(SYLLABLES) ** syllables < 2 * count:
        syllables += 1
    return [_code(number, syllables) for number in draw.different(count, len(SYLLABLES) ** syllables).tolist()]


def _code(number: int, syllables: int) -> str:
    word = ""
    for _ in range(syllables):
        number, syllable = divmod(number, len(SYLLABLES))
        word += SYLLABLES[syllable]
    return word


def numbers(count: int, digits: int) -> Sequence[str]:
    """Return the first ``count`` of a fixed list of different numbers with ``digits`` digits."""
    least = 10 ** (digits - 1)
    return [str(least + _STEP * index % (9 * least)) for index in range(1, count + 1)]
