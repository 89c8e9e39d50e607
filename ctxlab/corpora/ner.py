"""Generated documents for named entities, with names whose type only another sentence states.

Most mentions are clear by themselves or from their sentence. An ambiguous one is a bare invented name in a sentence
that fits every type; only one defining sentence, at a controlled distance, states its type.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.grammar.naming import AMBIGUOUS, BARE, CLEAR, DEFINING, FORMS, KINDS, TYPES
from ctxlab.corpora.grammar.prose import FILLERS, ROOM_FOR_SENTENCE, exactly, fill, sentence

MENTIONS_PER_WORD = 0.08
"""Density of clear mentions in text without ambiguous ones."""

CLEAR_SHARE = 0.75
"""Fraction of the sentences with clear mentions whose names show their type; in the others the sentence does."""

PAIR_WORDS = 12
"""Average number of words of an ambiguous mention's sentence and its defining sentence."""

TRIES = 4


def write(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``tokens, tags, sentence_starts, probes`` of exactly ``words_per_document`` tokens.

    - ``ambiguous_share``: fraction of ambiguous mentions among those outside defining sentences.
    - ``evidence_distance``: words between an ambiguous mention and its name in the defining sentence, before or after
      it; values that fit the document are used equally often.
    - ``probes``: the first token of each ambiguous mention and its actual distance.

    Raises:
        UserError: No distance fits the document.
    """
    fitting = brief.fitting_distances(needed=bool(brief.ambiguous_share))
    writer = _Writer(brief.draw(index), names(brief.split), brief.words_per_document)
    writer.write(brief.ambiguous_share, fitting)
    return writer.record()


@dataclass(frozen=True)
class _Sentence:
    words: list[str]
    entities: list[tuple[int, int, str]] = field(default_factory=list)
    """(first word, last word not included, type)"""
    is_probe: bool = False

    @property
    def name_at(self) -> int:
        return self.entities[0][0]


@dataclass(order=True)
class _Due:
    """The second sentence of a pair, to be written at ``at``."""

    at: int
    order: int
    sentence: _Sentence = field(compare=False)
    partner_at: int = field(compare=False)
    """Index in the document of the name in the sentence already written."""


class _Writer:
    """Writes one document from beginning to end."""

    def __init__(self, draw: Draw, pool: Sequence[str], length: int) -> None:
        self._draw, self._pool, self._length = draw, pool, length
        self._tokens: list[str] = []
        self._tags: list[str] = []
        self._sentence_starts: list[int] = []
        self._probes: list[dict[str, int]] = []
        self._due: list[_Due] = []
        self._reserved = 0  # words of the sentences in _due
        self._clear = 0  # clear mentions so far
        self._used: set[str] = set()
        size = min(max(length // 250, 2), 12)
        self._cast = {kind: [(self._name(), self._name()) for _ in range(size)] for kind in TYPES}

    def record(self) -> dict[str, Any]:
        return {
            "tokens": self._tokens,
            "tags": self._tags,
            "sentence_starts": self._sentence_starts,
            "probes": sorted(self._probes, key=lambda probe: probe["start"]),
        }

    def write(self, share: float, distances: Sequence[int]) -> None:
        num_pairs = self._expected_pairs(share)
        starts = self._plan(num_pairs, distances)
        clear_per_word = MENTIONS_PER_WORD * max(0.0, 1 - num_pairs * PAIR_WORDS / self._length)
        while self._free or self._due:
            now = len(self._tokens)
            if self._due and (self._due[0].at < now + 2 or not self._free):
                self._write_second()
            elif starts and starts[-1][0] <= now:
                self._write_first(starts.pop()[1])
            else:
                self._write_other(clear_per_word)

    @property
    def _free(self) -> int:
        """Number of words to write that are not reserved; never 1, as no sentence is that short."""
        return self._length - len(self._tokens) - self._reserved

    def _name(self) -> str:
        """Draw a name that is new in the document; ``_plan`` leaves half of the pool unused, so this ends soon."""
        while (name := self._draw.one(self._pool)) in self._used:
            pass
        self._used.add(name)
        return name

    def _expected_pairs(self, share: float) -> float:
        """Return the number of pairs k for a fraction s of ambiguous mentions: k (1 - s) = s m (length - k p)."""
        free = 1 - share + share * MENTIONS_PER_WORD * PAIR_WORDS
        return share * MENTIONS_PER_WORD * self._length / free

    def _plan(self, num_pairs: float, distances: Sequence[int]) -> list[tuple[int, int]]:
        """Return (earliest first word, distance) of each pair, the last one first; distances are equally frequent."""
        count = min(int(num_pairs + self._draw.share()), len(self._pool) // 2 - len(self._used))
        turn = self._draw.below(len(distances)) if distances else 0
        chosen = [distances[(turn + i) % len(distances)] for i in range(count)]
        return sorted(((self._draw.below(self._latest(d) + 1), d) for d in chosen), reverse=True)

    def _latest(self, distance: int) -> int:
        return self._length - distance - ROOM_FOR_SENTENCE

    def _write_first(self, distance: int) -> None:
        """Write the first sentence of a pair, if both fit, and schedule the second one."""
        name, kind = self._name(), self._draw.one(TYPES)
        defining = _with_name(self._draw.one(DEFINING), name, kind, self._draw)
        mention = _with_name(self._draw.one(AMBIGUOUS), name, kind, self._draw, is_probe=True)
        first, second = (defining, mention) if self._draw.share() < 0.5 else (mention, defining)
        left = self._free - len(first.words) - len(second.words)
        name_at = len(self._tokens) + first.name_at
        at = name_at + distance - second.name_at
        if left < 0 or left == 1 or at + len(second.words) > self._length:
            return
        self._write(first)
        self._reserved += len(second.words)
        heapq.heappush(self._due, _Due(at, len(self._used), second, name_at))

    def _write_second(self) -> None:
        due = heapq.heappop(self._due)
        self._reserved -= len(due.sentence.words)
        name_at = len(self._tokens) + due.sentence.name_at
        probe_at = name_at if due.sentence.is_probe else due.partner_at
        self._probes.append({"start": probe_at, "distance": abs(name_at - due.partner_at)})
        self._write(due.sentence)

    def _write_other(self, clear_per_word: float) -> None:
        """Write a sentence outside pairs, which leaves room for due sentences and never a gap of a single word."""
        room = min(self._free, self._due[0].at - len(self._tokens)) if self._due else self._free
        wanted = clear_per_word * (len(self._tokens) + ROOM_FOR_SENTENCE / 2)
        for _ in range(TRIES if room < ROOM_FOR_SENTENCE else 1):
            is_clear = self._draw.share() < (0.9 if self._clear < wanted else 0.15)
            chosen = self._clear_sentence() if clear_per_word and is_clear else self._plain_sentence()
            length = len(chosen.words)
            if (length == room or length <= room - 2) and self._free - length != 1:
                self._clear += len(chosen.entities)
                self._write(chosen)
                return
        self._write(_Sentence(exactly(room + 1 if self._free == room + 1 else room, self._draw)))

    def _plain_sentence(self) -> _Sentence:
        return _Sentence(sentence(fill(self._draw.one(FILLERS), self._draw)))

    def _clear_sentence(self) -> _Sentence:
        kind = self._draw.one(TYPES)
        template = self._draw.one((CLEAR if self._draw.share() < CLEAR_SHARE else BARE)[kind])
        words: list[str] = []
        entities: list[tuple[int, int, str]] = []
        for part in template.split(" "):
            kind = part[1:-1].upper()
            if kind not in TYPES:
                words += fill(part, self._draw)
                continue
            form = self._draw.one(FORMS[kind]) if part[1:-1] == kind else ("[ 2 ]" if kind == "PER" else "[ 1 ]")
            _append_form(form, self._draw.one(self._cast[kind]), kind=kind, words=words, entities=entities)
        return _Sentence(sentence(words), entities)

    def _write(self, written: _Sentence) -> None:
        start = len(self._tokens)
        self._sentence_starts.append(start)
        self._tokens += written.words
        self._tags += ["O"] * len(written.words)
        for first, end, kind in written.entities:
            self._tags[start + first] = f"B-{kind}"
            self._tags[start + first + 1 : start + end] = [f"I-{kind}"] * (end - first - 1)


def _with_name(template: str, name: str, kind: str, draw: Draw, *, is_probe: bool = False) -> _Sentence:
    words: list[str] = []
    at = 0
    for part in template.split(" "):
        if part == "<x>":
            at = len(words)
            words.append(name)
        else:
            words += draw.one(KINDS[kind]).split(" ") if part == "<type>" else fill(part, draw)
    return _Sentence(sentence(words), [(at, at + 1, kind)], is_probe)


def _append_form(
    form: str, member: tuple[str, str], kind: str, words: list[str], entities: list[tuple[int, int, str]]
) -> None:
    start = 0
    for part in form.split(" "):
        if part == "[":
            start = len(words)
        elif part == "]":
            entities.append((start, len(words), kind))
        else:
            words.append(member[int(part) - 1] if part in ("1", "2") else part)
