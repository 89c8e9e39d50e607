"""Generated users whose tastes are hidden in a long history of texts, and candidates that match them or not.

Most texts of a history are uninformative prose. In one or two of them a sentence states their subject, a *taste*; the
candidates about a taste were chosen. In an *ambiguous* record the sentence only states the author of the text, and two
others, anywhere, state the subjects of this author and of another one.
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
"""Sentences that state the subject ``<x>`` of a text."""

BYLINES: Sequence[str] = ("these lines are by <x> .", "<x> wrote this piece .", "<x> is the author of these lines .")
SPECIALITIES: Sequence[str] = ("<x> writes only about the <key> .", "the one subject of <x> is the <key> .")
"""Sentences that state the subject of an author ``<x>``; ``BYLINES`` state the author of a text."""

CANDIDATES: Sequence[str] = (
    "A short history of the <key>.",
    "What the <key> means to us.",
    "The <key> in old and new days.",
    "All about the <key>.",
)

NUM_CANDIDATES = 10

PARAGRAPH = "\n\n"


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``history, candidates, labels, probes``; all texts together have ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the records whose first taste only two sentences together determine.
    - ``evidence_distance``: words from a taste (or the byline, where it is ambiguous) to the end of the history; drawn
      equally often from the values that fit.
    - ``probes``: the first and last character (not included) of each evidence sentence in the texts joined by blank
      lines, and its actual distance.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=True)
    writer = _Writer(brief.draw(index), names(brief.split), brief.words_per_document)
    return writer.write(fitting, brief.ambiguous_share)


class _Writer:
    """Writes one record."""

    def __init__(self, draw: Draw, pool: Sequence[str], length: int) -> None:
        self._draw, self._pool, self._length = draw, pool, length
        self._page = Page(draw, length)
        self._is_evidence: list[bool] = []  # for each sentence put, whether it is evidence

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
        """Put a sentence that states a taste; returns False where there is no room."""
        is_put = self._page.put_before_end(fixed_sentence(self._draw.one(TASTES), subject), distance) is not None
        self._is_evidence += [True] * is_put
        return is_put

    def _author(self, subject: str, wrong: str, distance: int) -> None:
        """Put a byline, the subject of its author and, where there is room, the subject of another author."""
        author, other = self._draw.shuffled(self._pool)[:2]
        self._page.put_before_end(fixed_sentence(self._draw.one(BYLINES), author), distance)
        is_stated = self._page.put(fixed_sentence(self._draw.one(SPECIALITIES), author, key=subject))
        assert is_stated, "a page with room for a distance has room for two sentences"
        is_put = self._page.put(fixed_sentence(self._draw.one(SPECIALITIES), other, key=wrong))
        self._is_evidence += [True, True, *[False] * is_put]

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
                for (start, end), place, is_evidence in zip(spans, at, self._is_evidence, strict=True)
                if is_evidence
            ],
        }
