"""Generated texts and their translations into an invented language, in which names are inflected by type.

The language has one fixed word for every English one (``translated``), and puts an adjective after its noun. Sentences,
punctuation and paragraphs are kept, so that the translation has the same number of words and sentences. A name keeps
its letters and gets an ending for a person, an organisation, a place or a vessel (``ENDINGS``). Mostly its sentence
shows the type. An *ambiguous* name is in a sentence that fits all types; its ending depends on a fact that is stated
only once, earlier in the document, at a controlled distance.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.naming import AMBIGUOUS, DEFINING, KINDS, TYPES
from ctxlab.corpora.grammar.paragraphs import joined
from ctxlab.corpora.grammar.placing import Fixed, Page
from ctxlab.corpora.grammar.prose import LISTS, fill, sentence

ENDINGS = {"LOC": "imo", "ORG": "usk", "PER": "ael", "VES": "oth"}
"""Ending of a name by its type."""

CLEAR: Sequence[str] = (
    "they spoke of <x> , <type> , <when> .",
    "there was <type> called <x> .",
    "<x> , <type> , was in the newspapers again .",
    "<when> <pron> heard of <type> called <x> .",
)
"""Sentences that show the type of the name; ``<type>`` as in ``grammar.naming``."""

WORDS_PER_NAME = 60
"""Number of words of a document per name to translate."""

_ONSETS = ("b", "ch", "d", "dr", "f", "g", "h", "j", "k", "kl", "l", "m", "n", "p", "r", "s", "sh", "t", "tr", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou")
_NOUNS = ("person", "people", "thing", "stuff", "place", "vehicle", "body")


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``source, target, probes``; the source has exactly ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the names to translate whose sentence does not show their type.
    - ``evidence_distance``: words from the name in the fact to the name to translate; values that fit the document
      alternate.
    - ``probes``: the first and last character (not included) of each fact, the actual distance, and the right
      translation of the name (``says``).

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    writer = _Writer(brief.draw(index), names(brief.split), brief.words_per_document)
    writer.write(brief.ambiguous_share, fitting)
    return writer.record()


class _Writer:
    """Writes one document and its translation."""

    def __init__(self, draw: Draw, pool: Sequence[str], length: int) -> None:
        self._draw, self._pool, self._length = draw, draw.shuffled(pool), length
        self._page = Page(draw, length)
        self._kinds: dict[str, str] = {}
        self._facts: list[tuple[Fixed, int, str]] = []  # (its sentence, true distance, name)

    def write(self, share: float, distances: Sequence[int]) -> None:
        """Put ambiguous names first, as these need two places each, the largest distance first."""
        count = int(self._length / WORDS_PER_NAME + self._draw.share())
        ambiguous = int(count * share + self._draw.share()) if distances else 0
        turn = self._draw.below(len(distances)) if distances else 0
        chosen = [distances[(turn + i) % len(distances)] for i in range(ambiguous)]
        for distance in sorted(chosen, reverse=True):
            self._put_pair(distance)
        for _ in range(count - ambiguous):
            name, kind = self._name()
            if self._page.put(_about(self._draw.one(CLEAR), name, kind, self._draw)):
                self._kinds[name] = kind

    def _name(self) -> tuple[str, str]:
        """Draw a name that is new in the document, and its type."""
        return self._pool.pop(), self._draw.one(TYPES)

    def _put_pair(self, distance: int) -> None:
        name, kind = self._name()
        fact = _about(self._draw.one(DEFINING), name, kind, self._draw)
        mention = _about(self._draw.one(AMBIGUOUS), name, kind, self._draw)
        apart = self._page.put_pair(fact, mention, distance)
        if apart is not None:
            self._kinds[name] = kind
            self._facts.append((fact, apart, name))

    def record(self) -> dict[str, Any]:
        """Return source, target and probes in the order of the facts."""
        words, starts = self._page.words()
        source, places = joined(words, starts)
        ends = [*starts[1:], len(words)]
        rendered = [r for a, b in zip(starts, ends, strict=True) for r in render(words[a:b], self._kinds)]
        target, _ = joined(rendered, starts)
        at = {id(fixed): first for first, fixed in self._page.placed}
        probes = []
        for fact, distance, name in self._facts:
            first = at[id(fact)]
            last = first + len(fact.words) - 1
            span = {"start": places[first], "end": places[last] + len(words[last])}
            probes.append({**span, "distance": distance, "says": inflected(name, self._kinds[name])})
        return {"source": source, "target": target, "probes": sorted(probes, key=lambda probe: probe["start"])}


def _about(template: str, name: str, kind: str, draw: Draw) -> Fixed:
    words: list[str] = []
    for part in template.split(" "):
        if part == "<x>":
            words.append(name)
        else:
            words += draw.one(KINDS[kind]).split(" ") if part == "<type>" else fill(part, draw)
    return Fixed(sentence(words), words.index(name))


def render(words: Sequence[str], kinds: dict[str, str]) -> list[str]:
    """Translate a sentence word by word; ``kinds`` is the type of each name."""
    first = 1 if words[0] == '"' else 0
    order = list(words)
    if order[first] not in kinds:
        order[first] = order[first][0].lower() + order[first][1:]
    for i in range(len(order) - 1):
        if order[i] in LISTS["adj"] and order[i + 1] in _nouns():
            order[i], order[i + 1] = order[i + 1], order[i]
    other = [inflected(word, kinds[word]) if word in kinds else translated(word) for word in order]
    other[first] = other[first][0].upper() + other[first][1:]
    return other


def inflected(name: str, kind: str) -> str:
    """Return a name with the ending of its type."""
    return name + ENDINGS[kind]


@cache
def translated(word: str) -> str:
    """Return the word for an English one; punctuation is kept, and capitalisation."""
    if not word[0].isalpha():
        return word
    code = int.from_bytes(hashlib.sha256(word.lower().encode()).digest()[:8], "big")
    other = ""
    for _ in range(2 if len(word) < 4 else 3):
        code, onset = divmod(code, len(_ONSETS))
        code, vowel = divmod(code, len(_VOWELS))
        other += _ONSETS[onset] + _VOWELS[vowel]
    return other[0].upper() + other[1:] if word[0].isupper() else other


@cache
def _nouns() -> frozenset[str]:
    every = {word for kind in _NOUNS for entry in LISTS[kind] for word in entry.split(" ")}
    return frozenset(every - set(LISTS["adj"]))
