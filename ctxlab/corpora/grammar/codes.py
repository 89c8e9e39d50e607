"""Words that mean nothing: syllables of two letters, and numbers that stay the same for ever."""

from collections.abc import Sequence

from ctxlab.corpora.grammar.draw import Draw

SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")

_STEP = 6180339887
"""Prime to 9, 90, 900, …, so that its multiples are different numbers; they lie far apart."""


def codes(count: int, draw: Draw, syllables: int = 2) -> list[str]:
    """``count`` different words of ``syllables`` syllables or as few more as must be; all are equally long.

    So none of them is a part of another.
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
    """The first ``count`` of a fixed list of different numbers of ``digits`` digits, of which there are enough."""
    least = 10 ** (digits - 1)
    return [str(least + _STEP * index % (9 * least)) for index in range(1, count + 1)]
