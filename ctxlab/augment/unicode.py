"""Characters that look the same and are others."""

import unicodedata
from collections.abc import Sequence

from ctxlab.augment.changing.base import EachWord
from ctxlab.augment.changing.passage import Passage
from ctxlab.core.augmentation import Draw

ALIKE = dict(zip("aceijopsxyABCEHIKMOPSTXY", "асеіјорѕхуАВСЕНІКМОРЅТХУ", strict=True))
"""Latin letters → Cyrillic ones that look the same (of Unicode's confusables those that are letters of alphabets)."""

FULL_WIDTH = 0xFEE0
"""Added to the code of a visible ASCII character to have its full-width form."""


class Unicode(EachWord):
    """A chosen word is written with other characters that look the same to a reader.

    One of three ways, each equally likely where it is possible: a letter becomes a homoglyph (Latin a as Cyrillic а),
    the word is written in full-width forms, or letters with marks are decomposed into letter and combining mark (NFD).
    After the imperceptible perturbations of Boucher et al. 2022 (arXiv:2106.09898); deviations: no invisible characters
    and no control of direction, which a reader of plain text may lose.
    """

    def able(self, passage: Passage, index: int) -> bool:
        """Return whether the unit can be written in another way."""
        return bool(_ways(passage.units[index]))

    def other(self, passage: Passage, index: int, draw: Draw) -> str:
        """Return the unit written in one other way."""
        word = passage.units[index]
        ways = _ways(word)
        way = ways[int(draw.integers(len(ways)))]
        if way == "width":
            return "".join(chr(ord(letter) + FULL_WIDTH) if "!" <= letter <= "~" else letter for letter in word)
        if way == "marks":
            return unicodedata.normalize("NFD", word)
        places = [at for at, letter in enumerate(word) if letter in ALIKE]
        at = places[int(draw.integers(len(places)))]
        return word[:at] + ALIKE[word[at]] + word[at + 1 :]


def _ways(word: str) -> Sequence[str]:
    """Return the ways in which a word can be written."""
    found = []
    if any(letter in ALIKE for letter in word):
        found.append("homoglyph")
    if any(letter.isascii() and letter.isalnum() for letter in word):
        found.append("width")
    if unicodedata.normalize("NFD", word) != word:
        found.append("marks")
    return found
