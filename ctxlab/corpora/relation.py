"""Generated documents that state relations between invented persons, organisations and places.

A *clear* fact names both entities in one sentence. An *ambiguous* one takes two, at a controlled distance: one states
which object the head has, the other a relation of the object's owner. Only the object, which is unique in the document,
connects the two names; other objects are distractors. Every pair of types has two relations, so that types do not
determine the relation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Fixed, Page, fixed_sentence
from ctxlab.corpora.grammar.prose import LISTS

RELATIONS: Mapping[str, tuple[str, str, Sequence[str], str]] = {
    "works_for": ("PER", "ORG", ("<x> was a clerk of <y> .", "<x> drew wages from <y> ."), "had a post at <y>"),
    "founded": ("PER", "ORG", ("<x> was the founder of <y> .", "<x> began <y> ."), "had founded <y>"),
    "born_in": ("PER", "LOC", ("<x> was born in <y> .", "<x> first saw the light in <y> ."), "came from <y>"),
    "lives_in": ("PER", "LOC", ("<x> lived in <y> .", "<x> had a house in <y> ."), "was at home in <y>"),
    "seated_in": ("ORG", "LOC", ("<x> had its seat in <y> .", "<x> met in <y> ."), "kept its books in <y>"),
    "trades_with": ("ORG", "LOC", ("<x> sent goods to <y> .", "<x> traded with <y> ."), "had customers in <y>"),
}
"""Types of head and tail, sentences that state the relation, and the predicate for the owner of an object."""

OWNS: Mapping[str, Sequence[str]] = {
    "PER": ("<x> carried the <key> .", "the <key> belonged to <x> ."),
    "ORG": ("<x> had the <key> for its sign .", "the sign of <x> was the <key> ."),
}
"""Sentences that state which object a head has."""

FOLLOWS: Mapping[str, str] = {"PER": "whoever carried the <key>", "ORG": "the body with the <key> for its sign"}

AGAIN: Mapping[str, Sequence[str]] = {
    "PER": ("nobody spoke to <x> .", "<x> said nothing ."),
    "ORG": ("much was heard of <x> .", "people spoke of <x> ."),
    "LOC": ("the road to <x> was long .", "it rained in <x> ."),
}
"""Sentences that mention an entity of a clear fact once more."""

WORDS_PER_FACT = 40
"""Number of words of a document per fact."""

MOST_FACTS = 24

AGAIN_SHARE = 0.5
"""Fraction of the entities of clear facts that are mentioned once more."""


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields of ``task=relation`` for exactly ``words_per_document`` words, with ``probes``.

    Relations alternate, so that a few documents have all of them.

    - ``ambiguous_share``: fraction of the facts that take two sentences.
    - ``evidence_distance``: words between the names of an ambiguous fact; drawn equally often from the values that fit.
    - ``probes``: for each such fact its index among the relations and its actual distance.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    num_facts = min(max(brief.words_per_document // WORDS_PER_FACT, 1), MOST_FACTS)
    writer = _Writer(brief.draw(index), names(brief.split), brief.words_per_document)
    for turn in range(num_facts):
        label = list(RELATIONS)[(index * num_facts + turn + brief.seed) % len(RELATIONS)]
        writer.fact(label, brief.ambiguous_share, fitting)
    return writer.record()


class _Writer:
    """Writes one document: facts are put at random places, and prose fills the rest."""

    def __init__(self, draw: Draw, pool: Sequence[str], length: int) -> None:
        self._draw, self._pool, self._page = draw, draw.shuffled(pool), Page(draw, length)
        self._keys = draw.shuffled([word for word in LISTS["thing"] if " " not in word])
        self._types: list[str] = []
        self._mentions: list[tuple[int, int, int]] = []  # (entity, index of its sentence among those put, word in it)
        self._relations: list[dict[str, Any]] = []
        self._probes: list[dict[str, int]] = []

    def fact(self, label: str, share: float, distances: Sequence[int]) -> None:
        """Put one more fact, with probability ``share`` in two sentences; does nothing where it does not fit."""
        head, tail = self._pool.pop(), self._pool.pop()
        if self._draw.share() < share:
            self._in_two(label, head, tail, self._draw.one(distances))
        else:
            self._in_one(label, head, tail)

    def record(self) -> dict[str, Any]:
        """Return the document with its gold."""
        tokens, starts = self._page.words()
        places = self._page.starts()
        entities: list[dict[str, Any]] = [{"type": kind, "mentions": []} for kind in self._types]
        for owner, sentence, word in self._mentions:
            at = places[sentence] + word
            entities[owner]["mentions"].append([at, at + 1])
        for entity in entities:
            entity["mentions"].sort()
        return {
            "tokens": tokens,
            "sentence_starts": starts,
            "entities": entities,
            "relations": self._relations,
            "probes": self._probes,
        }

    def _in_one(self, label: str, head: str, tail: str) -> None:
        sentence = fixed_sentence(self._draw.one(RELATIONS[label][2]), head, y=tail)
        if not self._page.put(sentence):
            return
        at = len(self._page.starts()) - 1
        self._relate(label, (at, sentence.name_at), (at, list(sentence.words).index(tail)))
        for entity, name in ((len(self._types) - 2, head), (len(self._types) - 1, tail)):
            again = fixed_sentence(self._draw.one(AGAIN[self._types[entity]]), name)
            if self._draw.share() < AGAIN_SHARE and self._page.put(again):
                self._mentions.append((entity, len(self._page.starts()) - 1, again.name_at))

    def _in_two(self, label: str, head: str, tail: str, distance: int) -> None:
        if not self._keys:
            return
        kind, _, _, follows = RELATIONS[label]
        key = self._keys.pop()
        owns = fixed_sentence(self._draw.one(OWNS[kind]), head, key=key)
        then = fixed_sentence(f"{FOLLOWS[kind]} {follows} .".replace("<y>", "<x>"), tail, key=key)
        swapped = self._draw.share() < 0.5
        apart = self._put(owns, then, distance, swapped=swapped)
        if apart is None:
            return
        first = len(self._page.starts()) - 2
        self._probes.append({"relation": len(self._relations), "distance": apart})
        self._relate(label, (first + swapped, owns.name_at), (first + (not swapped), then.name_at))

    def _put(self, owns: Fixed, then: Fixed, distance: int, *, swapped: bool) -> int | None:
        return self._page.put_pair(then, owns, distance) if swapped else self._page.put_pair(owns, then, distance)

    def _relate(self, label: str, head: tuple[int, int], tail: tuple[int, int]) -> None:
        """Add two new entities, each as (sentence, word in it), and their relation."""
        first = len(self._types)
        self._types += RELATIONS[label][:2]
        self._mentions += [(first, *head), (first + 1, *tail)]
        self._relations.append({"head": first, "tail": first + 1, "label": label})
