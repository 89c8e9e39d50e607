"""Haystacks: filler of an exact number of words, fast for a hundred thousand words, and facts hidden in it.

Words are counted as in all generated documents: punctuation marks are words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ctxlab.core.types import IntArray
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.paragraphs import joined
from ctxlab.corpora.grammar.prose import FILLERS, exactly, fill, sentence

NOISE: Mapping[int, Sequence[str]] = {
    2: ("no .", "go ."),
    3: ("it is .", "he is .", "do so ."),
    4: ("so it is .", "we go on .", "he is in .", "it is me ."),
    5: ("so do as we .", "it is up to .", "he is on it .", "if so , go ."),
    6: ("it is up to us .", "no , it is me .", "do it as we do ."),
    7: ("if it is so , go .", "we go in or we go .", "he is as we go on ."),
}
"""Sentences by their number of words; every word is one token for every tokenizer."""

PROSE_SENTENCES = 2000
"""Number of sentences that prose is drawn from."""


@dataclass(frozen=True, eq=False)
class Haystack:
    """Sentences to draw filler from, as running text."""

    texts: Sequence[str]
    sizes: IntArray
    """Number of words of each."""
    by_length: Mapping[int, Sequence[str]] | None
    """Sentences of every length that may be left over; None generates one of the needed length."""

    def fill(self, num_words: int, draw: Draw) -> list[str]:
        """Draw sentences with ``num_words`` words in total, which must not be 1."""
        pieces: list[str] = []
        while num_words > int(self.sizes.max()):
            chosen = draw.many(int(num_words / self.sizes.mean()) + 1, len(self.texts))
            ends = self.sizes[chosen].cumsum()
            kept = int(np.searchsorted(ends, num_words - 2, side="right"))  # never a single word is left
            pieces += [self.texts[i] for i in chosen[:kept].tolist()]
            num_words -= int(ends[kept - 1]) if kept else 0
            if not kept:  # the first one would leave a single word
                pieces.append(self._measured(2, draw))
                num_words -= 2
        if num_words:
            pieces.append(self._measured(num_words, draw))
        return pieces

    def _measured(self, num_words: int, draw: Draw) -> str:
        if self.by_length is None:
            return running(exactly(num_words, draw))
        return running(sentence(draw.one(self.by_length[num_words]).split(" ")))


@cache
def haystack(kind: str) -> Haystack:
    """Return ``noise`` (a few repeated sentences of short words) or ``prose`` (as in the other corpora)."""
    if kind == "noise":
        listed = [sentence(text.split(" ")) for texts in NOISE.values() for text in texts]
        return _haystack(listed, NOISE)
    draw = Draw(0, "train", 0)
    return _haystack([sentence(fill(draw.one(FILLERS), draw)) for _ in range(PROSE_SENTENCES)], None)


HAYSTACKS = ("noise", "prose")


def _haystack(listed: Sequence[Sequence[str]], measured: Mapping[int, Sequence[str]] | None) -> Haystack:
    return Haystack([running(words) for words in listed], np.asarray([len(words) for words in listed]), measured)


def running(words: Sequence[str]) -> str:
    """Return a sentence as running text."""
    return joined(words, [0])[0].rstrip("\n")


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence that is hidden in a haystack."""

    words: Sequence[str]
    marked: str = ""
    """Its word that is (part of) the answer; empty marks the whole sentence."""

    def span(self, start: int) -> list[int]:
        """Return first and last character (not included) of the marked part of a sentence that begins at ``start``."""
        text = running(self.words)
        at = text.rindex(self.marked) if self.marked else 0
        return [start + at, start + at + len(self.marked or text)]


@dataclass(frozen=True, slots=True)
class Group:
    """Facts that are placed in their order."""

    facts: Sequence[Fact]
    depth: float | None = None
    """Fraction of the filler before the first fact; the others are anywhere after it. None puts all anywhere."""

    def places(self, filler: int, draw: Draw) -> list[int]:
        """Draw the number of words of filler before each."""
        if self.depth is None:
            return sorted(draw.many(len(self.facts), filler + 1).tolist())
        first = round(self.depth * filler)
        return [first, *sorted((first + draw.many(len(self.facts) - 1, filler - first + 1)).tolist())]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A haystack with its facts."""

    text: str
    spans: list[list[list[int]]]
    """For each group and fact, first and last character (not included) of the marked part."""


def hide(groups: Sequence[Group], num_words: int, kind: str, draw: Draw) -> Hidden:
    """Hide facts in a haystack of ``num_words`` words in total, with at least 2 words of filler.

    Args:
        groups: Groups of facts.
        num_words: Words of the text.
        kind: Kind of filler, one of ``HAYSTACKS``.
        draw: Random generator.
    """
    facts = [(g, n, fact) for g, group in enumerate(groups) for n, fact in enumerate(group.facts)]
    filler = num_words - sum(len(fact.words) for _, _, fact in facts)
    places = [place for group in groups for place in group.places(filler, draw)]
    # At equal places the group with the depth comes first, so that its depth is exact.
    order = sorted(range(len(facts)), key=lambda i: (places[i], facts[i][:2]))
    hay, pieces, length, done = haystack(kind), [], 0, 0
    spans: list[list[list[int]]] = [[[] for _ in group.facts] for group in groups]
    for index, place in zip(order, _without_single_words([places[i] for i in order], filler), strict=True):
        before = hay.fill(place - done, draw)
        pieces += before
        length, done = length + sum(len(piece) + 1 for piece in before), place
        group, at, fact = facts[index]
        spans[group][at] = fact.span(length)
        pieces.append(running(fact.words))
        length += len(pieces[-1]) + 1
    pieces += hay.fill(filler - done, draw)
    return Hidden(" ".join(pieces), spans)


def _without_single_words(places: Sequence[int], filler: int) -> list[int]:
    """Move places by a word where one word of filler would be left between two, or at the end."""
    moved: list[int] = []
    for place in places:
        before = moved[-1] if moved else 0
        moved.append(before if place - before == 1 else place)
    if moved and filler - moved[-1] == 1:
        last = moved[-1]
        moved = [filler if place == last else place for place in moved]
    return moved
