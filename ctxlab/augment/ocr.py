"""Errors of optical character recognition."""

from ctxlab.augment.changing.base import EachWord
from ctxlab.augment.changing.passage import Passage
from ctxlab.core.augmentation import Draw

ALIKE = (
    ("rn", "m"), ("cl", "d"), ("vv", "w"), ("ii", "u"), ("li", "h"), ("nn", "m"), ("in", "m"),
    ("0", "O"), ("1", "l"), ("l", "I"), ("5", "S"), ("8", "B"), ("2", "Z"), ("6", "b"), ("9", "g"),
    ("c", "e"), ("h", "b"), ("f", "t"), ("a", "o"), ("n", "u"), ("i", "j"), ("v", "y"), ("G", "C"), ("E", "F"),
)  # fmt: skip
"""Pairs of characters, or of short runs of them, that look alike in print; each is taken for the other."""

CONFUSIONS = tuple(sorted({*ALIKE, *((other, one) for one, other in ALIKE)}))
"""What is printed, and what is read instead."""


class OCR(EachWord):
    """One confusion of characters that look alike in a chosen word: rn for m, 0 for O, l for 1.

    The pairs are the usual ones of scanned Latin print, written down for this project; they are not estimated from
    scans, so that a dose says how many words are damaged and nothing about a certain scanner.
    """

    def able(self, passage: Passage, index: int) -> bool:
        """Return whether the unit has a character that looks like another."""
        return any(printed in passage.units[index] for printed, _ in CONFUSIONS)

    def other(self, passage: Passage, index: int, draw: Draw) -> str:
        """Return the word with one confusion at one place."""
        word = passage.units[index]
        found = [
            (at, printed, seen)
            for printed, seen in CONFUSIONS
            for at in range(len(word))
            if word.startswith(printed, at)
        ]
        at, printed, seen = found[int(draw.integers(len(found)))]
        return word[:at] + seen + word[at + len(printed) :]
