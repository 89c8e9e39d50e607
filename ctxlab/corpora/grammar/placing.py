"""Puts sentences at controlled places and fills the rest of a document exactly with prose.

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
    """A sentence that is put at a controlled place."""

    words: Sequence[str]
    name_at: int
    """Index of its word from which distances are counted."""


class Page:
    """A document of exactly ``length`` words, into which sentences are put before prose fills the rest."""

    def __init__(self, draw: Draw, length: int) -> None:
        self._draw, self._length = draw, length
        self._placed: list[tuple[int, Fixed]] = []

    @property
    def placed(self) -> list[tuple[int, Fixed]]:
        """Return the first word of each sentence and the sentence, in the order in which they were put."""
        return list(self._placed)

    def put(self, fixed: Fixed) -> bool:
        """Put a sentence at a random place; returns False where it fits nowhere."""
        places = np.flatnonzero(self._fits(len(fixed.words)))
        if not len(places):
            return False
        self._placed.append((self._draw.one(places.tolist()), fixed))
        return True

    def put_before_end(self, fixed: Fixed, distance: int) -> int | None:
        """Put a sentence so that its name is at least ``distance`` words before the end, and as near to that as fits.

        Where no place that far from the end is free, it is put as far from the end as possible.

        Returns:
            The actual distance, where 1 is the last word; None where the sentence fits nowhere.
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
        """Put a sentence so that its name is as near to word ``at`` as fits; of two such places the earlier one.

        Returns:
            The actual word of the name; None where the sentence fits nowhere.
        """
        places = np.flatnonzero(self._fits(len(fixed.words)))
        if not len(places):
            return None
        place = int(places[np.abs(places + fixed.name_at - at).argmin()])
        self._placed.append((place, fixed))
        return place + fixed.name_at

    def put_pair(self, first: Fixed, second: Fixed, distance: int) -> int | None:
        """Put two sentences so that their names are at least ``distance`` words apart, and as near to that as fits.

        Returns:
            The actual distance; None where they fit nowhere.
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
        """Return (P,) whether a sentence of ``size`` words can begin at each word of the document.

        No gap of a single word may be left, as no sentence is that short.
        """
        start = np.arange(self._length)
        end = start + size
        fits: BoolArray = (start != 1) & (end <= self._length) & (end != self._length - 1)
        for at, placed in self._placed:
            after = at + len(placed.words)
            fits &= ((end <= at) & (end != at - 1)) | ((start >= after) & (start != after + 1))
        return fits

    def write(self) -> tuple[str, list[tuple[int, int]], list[int]]:
        """Return the text, and for each sentence in the order of ``put`` calls its characters and the index of its
        name."""
        words, starts = self.words()
        text, places = joined(words, starts)
        spans = []
        for at, fixed in self._placed:
            last = at + len(fixed.words) - 1
            spans.append((places[at], places[last] + len(words[last])))
        return text, spans, [at + fixed.name_at for at, fixed in self._placed]

    def words(self) -> tuple[list[str], list[int]]:
        """Return all words, and the first one of each sentence; every call draws other prose."""
        words: list[str] = []
        starts: list[int] = []
        for at, fixed in sorted(self._placed, key=lambda one: one[0]):
            self._fill(at, words, starts)
            starts.append(at)
            words += fixed.words
        self._fill(self._length, words, starts)
        return words, starts

    def starts(self) -> list[int]:
        """Return the first word of each sentence that was put, in the order of ``put`` calls."""
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
    """Fill a template with ``name`` for ``<x>`` and the keyword arguments for their names in angle brackets."""
    given = {"<x>": name, **{f"<{key}>": word for key, word in words.items()}}
    parts = [piece for part in template.split(" ") for piece in given.get(part, part).split(" ")]
    return Fixed(sentence(parts), parts.index(name))
