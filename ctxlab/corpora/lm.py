"""Generated plain text with repeated words that only an earlier sentence determines.

Most of it is prose without names. A *pair* is two sentences about an invented name that occurs nowhere else in the
document: the first states a word about it (its key), the second repeats that word, at a controlled distance after the
first. Only the first sentence determines which of some forty words it is.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.paragraphs import is_fillable, joined
from ctxlab.corpora.grammar.prose import FILLERS, LISTS, ROOM_FOR_SENTENCE, exactly, fill, sentence

PAIRS: Sequence[tuple[str, str, str]] = (
    ("thing", "<x> had nothing left but the <key> .", "what <x> still had was the <key> ."),
    ("thing", "that year <x> was given the <key> .", "once more <x> looked at the <key> ."),
    ("stuff", "<x> traded in nothing but <key> .", "all his life <x> had sold <key> ."),
    ("stuff", "the storeroom of <x> was full of <key> .", "in the storeroom <x> had only <key> ."),
    ("person", "in those days <x> was the <key> .", "people called <x> the <key> ."),
    ("person", "<x> was in love with the <key> .", "at last <x> married the <key> ."),
    ("place", "<x> lived behind the <key> .", "they found <x> behind the <key> ."),
    ("place", "every day <x> went to the <key> .", "again <x> went to the <key> ."),
)
"""Kind of the key, first sentence, second sentence; ``<x>`` is the name. Articles do not depend on the key."""

PAIR_WORDS = 18
"""Maximum number of words of both sentences of a pair."""

TRIES = 4


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, probes`` of exactly ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the words that are in pairs, as far as these fit.
    - ``evidence_distance``: words from a key to its second mention; drawn equally often from the values that fit.
    - ``probes``: the first and last character (not included) of each second mention, and its actual distance.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    writer = _Writer(brief.draw(index), names(brief.split), brief.words_per_document)
    writer.write(round(brief.ambiguous_share * brief.words_per_document / PAIR_WORDS), fitting)
    return writer.record()


@dataclass(order=True, frozen=True)
class _Due:
    """The second sentence of a pair, to be written at word ``at``; its key is ``key_at`` words further."""

    at: int
    end: int
    words: list[str] = field(compare=False)
    key_at: int = field(compare=False)
    first_key: int = field(compare=False)
    """Index in the document of the key of the first sentence."""


class _Writer:
    """Writes one document from beginning to end."""

    def __init__(self, draw: Draw, pool: Sequence[str], length: int) -> None:
        self._draw, self._pool, self._length = draw, list(draw.shuffled(pool)), length
        self._words: list[str] = []
        self._starts: list[int] = []  # first word of each sentence
        self._due: list[_Due] = []
        self._probes: list[tuple[int, int]] = []  # (word, distance)

    def write(self, num_pairs: int, distances: Sequence[int]) -> None:
        starts = self._plan(min(num_pairs, len(self._pool)), distances)
        while len(self._words) < self._length:
            now = len(self._words)
            if self._due and self._due[0].at == now:
                self._write_second(heapq.heappop(self._due))
            elif starts and starts[-1][0] <= now:
                at, distance = starts.pop()
                if not self._write_first(distance) and at + 8 * ROOM_FOR_SENTENCE > now:
                    starts.append((at, distance))  # after the next sentence, perhaps
                    self._write_filler()
            else:
                self._write_filler()

    def record(self) -> dict[str, Any]:
        text, places = joined(self._words, self._starts)
        probes = [
            {"start": places[word], "end": places[word] + len(self._words[word]), "distance": distance}
            for word, distance in self._probes
        ]
        return {"text": text, "probes": probes}

    def _plan(self, num_pairs: int, distances: Sequence[int]) -> list[tuple[int, int]]:
        """Return (earliest first word, distance) of each pair, the last one first; distances are equally frequent."""
        turn = self._draw.below(len(distances)) if distances else 0
        chosen = [distances[(turn + i) % len(distances)] for i in range(num_pairs)]
        latest = [self._length - distance - ROOM_FOR_SENTENCE for distance in chosen]
        return sorted(((self._draw.below(last + 1), d) for last, d in zip(latest, chosen, strict=True)), reverse=True)

    def _room(self) -> int:
        """Return the number of words before the next due sentence, or to the end."""
        return (self._due[0].at if self._due else self._length) - len(self._words)

    def _write_first(self, distance: int) -> bool:
        """Write the first sentence of a pair, if both sentences fit, and schedule the second one."""
        kind, *templates = self._draw.one(PAIRS)
        name, key = self._pool[-1], self._draw.one([word for word in LISTS[kind] if " " not in word])
        (first, first_key), (second, second_key) = (_with(template, name, key) for template in templates)
        now, key_at = len(self._words), len(self._words) + first_key
        at = key_at + distance - second_key
        due = _Due(at, at + len(second), words=second, key_at=second_key, first_key=key_at)
        if not is_fillable(self._room() - len(first)) or not self._free(now + len(first), due):
            return False
        self._pool.pop()
        self._write(first)
        heapq.heappush(self._due, due)
        return True

    def _free(self, start: int, new: _Due) -> bool:
        """Whether ``new`` overlaps no due sentence, and is_fillable no gap of a single word, which cannot be filled."""
        taken = sorted(
            [(0, start), (self._length, self._length), (new.at, new.end), *((d.at, d.end) for d in self._due)]
        )
        return all(is_fillable(after[0] - before[1]) for before, after in pairwise(taken))

    def _write_second(self, due: _Due) -> None:
        word = due.at + due.key_at
        self._probes.append((word, word - due.first_key))
        self._write(due.words)

    def _write_filler(self) -> None:
        room = self._room()
        for _ in range(TRIES if room < ROOM_FOR_SENTENCE else 1):
            words = sentence(fill(self._draw.one(FILLERS), self._draw))
            if is_fillable(room - len(words)):
                self._write(words)
                return
        self._write(
            exactly(min(room, ROOM_FOR_SENTENCE) if is_fillable(room - ROOM_FOR_SENTENCE) else room, self._draw)
        )

    def _write(self, words: Sequence[str]) -> None:
        self._starts.append(len(self._words))
        self._words += words


def _with(template: str, name: str, key: str) -> tuple[list[str], int]:
    """Return the words of a sentence of a pair, and the index of its key."""
    parts = template.split(" ")
    words = [{"<x>": name, "<key>": key}.get(part, part) for part in parts]
    return sentence(words), parts.index("<key>")
