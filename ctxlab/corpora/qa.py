"""Generated long texts that state facts once, and questions about them, one of them unanswerable.

Most of a text is prose without names. A *fact* is a sentence about an invented name that occurs nowhere else in the
document. Each document has a question about one fact per distance, and one that the text does not answer: its name
occurs, but with another fact. Further facts are distractors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.paragraphs import is_fillable, joined
from ctxlab.corpora.grammar.prose import FILLERS, LISTS, ROOM_FOR_SENTENCE, exactly, fill, sentence

FACTS: Sequence[tuple[str, str, str]] = (
    ("thing", "<x> had nothing left but the <key> .", "What did <x> still have?"),
    ("thing", "that year <x> was given the <key> .", "What was <x> given that year?"),
    ("stuff", "<x> traded in nothing but <key> .", "What did <x> trade in?"),
    ("stuff", "the storeroom of <x> was full of <key> .", "What was in the storeroom of <x>?"),
    ("person", "in those days <x> was the <key> .", "What was <x> in those days?"),
    ("person", "<x> was in love with the <key> .", "Who was <x> in love with?"),
    ("place", "<x> lived behind the <key> .", "What did <x> live behind?"),
    ("place", "every day <x> went to the <key> .", "Where did <x> go every day?"),
)
"""Kind of the key, the fact, and the question; ``<x>`` is the name, ``<key>`` the answer."""

ROOM_FOR_FACT = 12
"""Words within which every fact fits."""

TRIES = 4


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``context, questions, probes``; the context has exactly ``words_per_document`` words.

    - ``ambiguous_share``: fraction of the sentences in between that state other facts.
    - ``evidence_distance``: words from the beginning of the context to an answer; one question for each value that fits
      the document and is_fillable room for the others.
    - ``probes``: the question's id, the first and last character (not included) of its answer, and its actual distance:
      a fact that does not fit at its distance is at the beginning of the document.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = sorted(set(brief.fitting_distances(ROOM_FOR_FACT, needed=True)))
    writer = _Writer(brief.draw(index), names(brief.split), brief.words_per_document)
    writer.write(brief.ambiguous_share, fitting)
    return writer.record()


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    form: int
    """Its index in ``FACTS``."""
    words: list[str]
    key_at: int
    key_words: int

    def question(self) -> str:
        return FACTS[self.form][2].replace("<x>", self.name)


class _Writer:
    """Writes one document from beginning to end."""

    def __init__(self, draw: Draw, pool: Sequence[str], length: int) -> None:
        self._draw, self._pool, self._length = draw, draw.shuffled(pool), length
        self._words: list[str] = []
        self._starts: list[int] = []  # first word of each sentence
        self._asked: list[tuple[_Fact, int]] = []  # (fact, its first word)

    def write(self, share: float, distances: Sequence[int]) -> None:
        self._plan(distances)
        for fact, at in self._asked:
            self._fill(at, share)
            self._write(fact.words)
        self._fill(self._length, share)

    def record(self) -> dict[str, Any]:
        text, places = joined(self._words, self._starts)
        questions: list[dict[str, Any]] = []
        probes: list[dict[str, Any]] = []
        for number, (fact, at) in enumerate(self._asked, start=1):
            first = at + fact.key_at
            start, last = places[first], first + fact.key_words - 1
            end = places[last] + len(self._words[last])
            answers = [{"text": text[start:end], "answer_start": start}]
            questions.append({"id": str(number), "question": fact.question(), "answers": answers})
            probes.append({"question": str(number), "start": start, "end": end, "distance": first})
        questions.append({"id": str(len(questions) + 1), "question": self._unstated(), "answers": []})
        return {"context": text, "questions": questions, "probes": probes}

    def _plan(self, distances: Sequence[int]) -> None:
        """Choose the facts that are asked for; one that overlaps the previous one is left out."""
        free = 0
        for distance in distances:
            fact = self._fact()
            at = distance - fact.key_at
            at = at if is_fillable(at) else 0
            if at >= free and is_fillable(at - free) and is_fillable(self._length - at - len(fact.words)):
                self._asked.append((fact, at))
                free = at + len(fact.words)
        if not self._asked:
            self._asked.append((self._fact(), 0))

    def _fact(self) -> _Fact:
        """Draw a fact about a name that is new in the document."""
        form = self._draw.below(len(FACTS))
        kind, template, _ = FACTS[form]
        name, key = self._pool.pop(), self._draw.one(LISTS[kind]).split(" ")
        before, after = template.split(" <key> ")
        words = [*before.split(" "), *key, *after.split(" ")]
        return _Fact(
            name,
            form,
            words=sentence([name if w == "<x>" else w for w in words]),
            key_at=len(before.split(" ")),
            key_words=len(key),
        )

    def _unstated(self) -> str:
        """Return an unanswerable question about a name of the text."""
        fact, _ = self._draw.one(self._asked)
        other = (fact.form + 1 + self._draw.below(len(FACTS) - 1)) % len(FACTS)
        return FACTS[other][2].replace("<x>", fact.name)

    def _fill(self, end: int, share: float) -> None:
        """Write other sentences exactly up to word ``end``."""
        while room := end - len(self._words):
            for _ in range(TRIES if room < ROOM_FOR_SENTENCE else 1):
                states = self._pool and self._draw.share() < share
                words = self._fact().words if states else sentence(fill(self._draw.one(FILLERS), self._draw))
                if is_fillable(room - len(words)):
                    self._write(words)
                    break
            else:
                self._write(exactly(room if room < ROOM_FOR_SENTENCE else room // 2, self._draw))

    def _write(self, words: Sequence[str]) -> None:
        self._starts.append(len(self._words))
        self._words += words
