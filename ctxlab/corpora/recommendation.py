"""Users whose tastes are hidden in a long history of texts, and candidates about what they like and what they do not.

Most texts of a history are prose that tells nothing. Of one or two of them a sentence says what they are about: a
*taste*; among the candidates those about a taste were chosen. In an *ambiguous* record the sentence says only who wrote
the text, and two others, anywhere, say what this author and another one write about.
"""

from collections.abc import Sequence
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.placing import Page, fixed_sentence
from ctxlab.corpora.grammar.prose import LISTS

TASTES: Sequence[str] = (
    "these lines are about the <x> .",
    "the subject of this piece is the <x> .",
    "here everything turns on the <x> .",
)
"""What a text of a history says of its subject ``<x>``."""

BYLINES: Sequence[str] = ("these lines are by <x> .", "<x> wrote this piece .", "<x> is the author of these lines .")
SPECIALITIES: Sequence[str] = ("<x> writes only about the <key> .", "the one subject of <x> is the <key> .")
"""Who wrote a text, and what an author ``<x>`` writes about."""

CANDIDATES: Sequence[str] = (
    "A short history of the <key>.",
    "What the <key> means to us.",
    "The <key> in old and new days.",
    "All about the <key>.",
)

NUM_CANDIDATES = 10

PARAGRAPH = "\n\n"


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Fields ``history, candidates, labels, probes``; the texts of the history have ``words_per_document`` words.

    - ``ambiguous_share``: of the records, those whose first taste only two sentences together tell.
    - ``evidence_distance``: words from a taste (from the author, where that is ambiguous) to the end of the history,
      where the choice is made; those that fit are drawn equally often.
    - ``probes``: the first and last character (not included) of each sentence that tells, in the texts joined by blank
      lines, and its true distance.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=True)
    writer = _Writer(brief.draw(index), names(brief.split), brief.words_per_document)
    return writer.write(fitting, brief.ambiguous_share)


class _Writer:
    """One record."""

    def __init__(self, draw: Draw, pool: Sequence[str], length: int) -> None:
        self._draw, self._pool, self._length = draw, pool, length
        self._page = Page(draw, length)
        self._told: list[bool] = []  # of each sentence in the order of putting, whether it tells a taste

    def write(self, distances: Sequence[int], ambiguous_share: float) -> dict[str, Any]:
        subjects = self._draw.shuffled([word for word in LISTS["thing"] if " " not in word])[:NUM_CANDIDATES]
        is_ambiguous, has_two = self._draw.share() < ambiguous_share, self._draw.share() < 0.5
        if is_ambiguous:
            self._author(subjects[0], subjects[-1], self._draw.one(distances))
        else:
            self._taste(subjects[0], self._draw.one(distances))
        has_two = has_two and self._taste(subjects[1], self._draw.one(distances))
        return self._record(subjects, 2 if has_two else 1)

    def _taste(self, subject: str, distance: int) -> bool:
        """A text says what it is about; False where there is no room left to say it."""
        is_put = self._page.put_before_end(fixed_sentence(self._draw.one(TASTES), subject), distance) is not None
        self._told += [True] * is_put
        return is_put

    def _author(self, subject: str, wrong: str, distance: int) -> None:
        """A text says who wrote it, others what this author writes about and, where there is room, another one."""
        author, other = self._draw.shuffled(self._pool)[:2]
        self._page.put_before_end(fixed_sentence(self._draw.one(BYLINES), author), distance)
        is_told = self._page.put(fixed_sentence(self._draw.one(SPECIALITIES), author, key=subject))
        assert is_told, "a page that has room for a distance has it for two sentences"
        is_put = self._page.put(fixed_sentence(self._draw.one(SPECIALITIES), other, key=wrong))
        self._told += [True, True, *[False] * is_put]

    def _record(self, subjects: Sequence[str], num_tastes: int) -> dict[str, Any]:
        text, spans, at = self._page.write()
        order = self._draw.shuffled(range(len(subjects)))
        candidates = [self._draw.one(CANDIDATES).replace("<key>", subjects[i]) for i in order]
        return {
            "history": text.rstrip("\n").split(PARAGRAPH),
            "candidates": candidates,
            "labels": [int(i < num_tastes) for i in order],
            "probes": [
                {"start": start, "end": end, "distance": self._length - place}
                for (start, end), place, tells in zip(spans, at, self._told, strict=True)
                if tells
            ],
        }
