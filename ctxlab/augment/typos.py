"""Typing errors."""

from collections.abc import Sequence

from ctxlab.augment.changing.base import EachWord
from ctxlab.augment.changing.passage import Passage
from ctxlab.core.augmentation import Draw
from ctxlab.text.clusters import clusters

ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
"""Rows of letters of a QWERTY keyboard, each with its indentation in keys."""

REACH = 1.26
"""Distance in keys up to which two keys are neighbours: in a row, and the nearest of the next rows."""

LEAST_LETTERS = 3
"""Shorter words stay as they are: without a letter little of them would be left."""


def _neighbours() -> dict[str, str]:
    keys = [
        (key, indent + index, row) for row, (letters, indent) in enumerate(ROWS) for index, key in enumerate(letters)
    ]
    return {
        key: "".join(other for other, u, v in keys if other != key and ((x - u) ** 2 + (y - v) ** 2) ** 0.5 <= REACH)
        for key, x, y in keys
    }


NEIGHBOURS = _neighbours()
"""Letters beside each letter of the keyboard."""


class Typos(EachWord):
    """One typing error in a chosen word: a neighbouring key, two letters swapped, or a letter left out.

    Each of the errors that the word allows is equally likely (after Belinkov and Bisk 2018, arXiv:1711.02173).
    Deviations: their errors also come from corpora of real ones, and they keep first and last letter in place.
    """

    def able(self, passage: Passage, index: int) -> bool:
        """Return whether the unit has enough letters."""
        return sum(map(str.isalpha, passage.units[index])) >= LEAST_LETTERS

    def other(self, passage: Passage, index: int, draw: Draw) -> str:
        """Return the word with one error."""
        letters = clusters(passage.units[index])
        errors = [(kind, at) for kind, places in _places(letters).items() for at in places]
        kinds = sorted({kind for kind, _ in errors})
        kind = kinds[int(draw.integers(len(kinds)))]
        places = [at for name, at in errors if name == kind]
        return _wrong(letters, kind, places[int(draw.integers(len(places)))], draw)


def _places(letters: Sequence[str]) -> dict[str, list[int]]:
    """Return the places in a word where each kind of error is possible; leaving a letter out always is."""
    alphabetic = [at for at, letter in enumerate(letters) if letter[0].isalpha()]
    return {
        "neighbour": [at for at in alphabetic if letters[at].lower() in NEIGHBOURS],
        "swap": [at for at in alphabetic if at + 1 in alphabetic and letters[at] != letters[at + 1]],
        "omission": alphabetic,
    }


def _wrong(letters: Sequence[str], kind: str, at: int, draw: Draw) -> str:
    before, letter, after = letters[:at], letters[at], letters[at + 1 :]
    if kind == "omission":
        return "".join([*before, *after])
    if kind == "swap":
        return "".join([*before, after[0], letter, *after[1:]])
    beside = NEIGHBOURS[letter.lower()]
    new = beside[int(draw.integers(len(beside)))]
    return "".join([*before, new.upper() if letter.isupper() else new, *after])
