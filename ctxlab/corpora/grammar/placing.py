"""Sentences at controlled places in a sea of prose that fills a document exactly.

Shape legend: P places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import BoolArray
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.paragraphs import joined
from ctxlab.corpora.grammar.prose import FILLERS, ROOM_FOR_SENTENCE, exactly, fill, sentence

TRIES = 4


@dataclass(frozen=True, slots=True)
class Fixed:
    """A sentence with a place."""

    words: Sequence[str]
    name_at: int
    """Its word from which distances count."""


class Page:
    """A document of exactly ``length`` words, into which sentences are put before prose fills the rest."""

    def __init__(self, draw: Draw, length: int) -> None:
        self._draw, self._length = draw, length
        self._placed: list[tuple[int, Fixed]] = []

    @property
    def placed(self) -> list[tuple[int, Fixed]]:
        """First word of each sentence, in the order of putting, and what it is."""
        return list(self._placed)

    def put(self, fixed: Fixed) -> bool:
        """Put a sentence at random; False where it fits nowhere any more."""
        places = np.flatnonzero(self._fits(len(fixed.words)))
        if not len(places):
            return False
        self._placed.append((self._draw.one(places.tolist()), fixed))
        return True

    def put_before_end(self, fixed: Fixed, distance: int) -> int | None:
        """Put a sentence so that its name is ``distance`` words before the end, or as few more as must be.

        Where nothing so far from the end is free, it stands as far as can be.

        Returns:
            The true distance, of which 1 is the last word; None where it fits nowhere.
        """
        places = np.flatnonzero(self._fits(len(fixed.words)))
        distances = self._length - places - fixed.name_at
        if not len(places):
            return None
        enough = distances >= distance
        chosen = int(places[enough].max() if enough.any() else places.min())
        self._placed.append((chosen, fixed))
        return self._length - chosen - fixed.name_at

    def put_near(self, fixed: Fixed, at: int) -> int | None:
        """Put a sentence so that its name is word ``at``, or as near as can be, and say where; None where it fits not.

        Of two places as near the earlier one is taken.
        """
        places = np.flatnonzero(self._fits(len(fixed.words)))
        if not len(places):
            return None
        place = int(places[np.abs(places + fixed.name_at - at).argmin()])
        self._placed.append((place, fixed))
        return place + fixed.name_at

    def put_pair(self, first: Fixed, second: Fixed, distance: int) -> int | None:
        """Put two sentences so that their names are ``distance`` words apart, or as few more as must be.

        Returns:
            The true distance; None where they fit nowhere.
        """
        one, other = self._fits(len(first.words)), self._fits(len(second.words))
        for apart in range(distance, self._length):
            shift = apart + first.name_at - second.name_at
            between = shift - len(first.words)
            if between < 0 or between == 1 or shift >= len(one):
                continue
            places = np.flatnonzero(one[: len(one) - shift] & other[shift:])
            if len(places):
                at = self._draw.one(places.tolist())
                self._placed += [(at, first), (at + shift, second)]
                return apart
        return None

    def _fits(self, size: int) -> BoolArray:
        """(P,) for each word of the document whether a sentence of ``size`` words can begin there.

        Nothing may be left over that is a single word, as no sentence is that short.
        """
        start = np.arange(self._length)
        end = start + size
        fits: BoolArray = (start != 1) & (end <= self._length) & (end != self._length - 1)
        for at, placed in self._placed:
            behind = at + len(placed.words)
            fits &= ((end <= at) & (end != at - 1)) | ((start >= behind) & (start != behind + 1))
        return fits

    def write(self) -> tuple[str, list[tuple[int, int]], list[int]]:
        """The text, first and last character (not included) of each sentence in the order of putting, and its name.

        The name is the word of the document that it is.
        """
        words, starts = self.words()
        text, places = joined(words, starts)
        spans = []
        for at, fixed in self._placed:
            last = at + len(fixed.words) - 1
            spans.append((places[at], places[last] + len(words[last])))
        return text, spans, [at + fixed.name_at for at, fixed in self._placed]

    def words(self) -> tuple[list[str], list[int]]:
        """All words, and the first one of each sentence; every call draws other prose."""
        words: list[str] = []
        starts: list[int] = []
        for at, fixed in sorted(self._placed, key=lambda one: one[0]):
            self._fill(at, words, starts)
            starts.append(at)
            words += fixed.words
        self._fill(self._length, words, starts)
        return words, starts

    def starts(self) -> list[int]:
        """The first word of each sentence that was put, in the order of putting."""
        return [at for at, _ in self._placed]

    def _fill(self, until: int, words: list[str], starts: list[int]) -> None:
        while len(words) < until:
            starts.append(len(words))
            words += self._filler(until - len(words))

    def _filler(self, room: int) -> list[str]:
        for _ in range(TRIES if room < ROOM_FOR_SENTENCE else 1):
            words = sentence(fill(self._draw.one(FILLERS), self._draw))
            if len(words) == room or len(words) <= room - 2:
                return words
        return exactly(room if room < ROOM_FOR_SENTENCE + 2 else ROOM_FOR_SENTENCE, self._draw)


def fixed_sentence(template: str, name: str, **words: str) -> Fixed:
    """A sentence with ``name`` for ``<x>``, and others for ``<what they are called>``."""
    given = {"<x>": name, **{f"<{key}>": word for key, word in words.items()}}
    parts = [piece for part in template.split(" ") for piece in given.get(part, part).split(" ")]
    return Fixed(sentence(parts), parts.index(name))
