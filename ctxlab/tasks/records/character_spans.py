"""Converts entities given as character spans, as annotation tools write them, to BIO tags of words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.bio import OUTSIDE
from ctxlab.tasks.records.fields import kind
from ctxlab.tasks.text.words import words_of
from ctxlab.text.units import split_at

Offsets = tuple[int, int]
"""First character of a word, and the index after its last."""


@dataclass(frozen=True, slots=True)
class CharacterSpan:
    """An entity: characters ``start`` to ``end``, the latter not included."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class TaggedWords:
    """Words of a text, each with its characters and its BIO tag."""

    words: list[str]
    offsets: list[Offsets]
    tags: list[str]
    num_overlapping: int
    """Spans that overlap a longer one: left out, as BIO cannot represent them."""
    num_cut: int
    """Words that were split where a span begins or ends within them."""


@dataclass(slots=True)
class SpanNotes:
    """Collects what was changed in the spans of all documents into one note of each kind."""

    counts: list[int] = field(default_factory=lambda: [0, 0])
    _notes: list[str] = field(default_factory=list)

    def add(self, found: TaggedWords, notes: list[str]) -> None:
        """Add the counts of one document, and keep one note of each kind in ``notes``."""
        if not found.num_overlapping and not found.num_cut:
            return
        self.counts = [self.counts[0] + found.num_overlapping, self.counts[1] + found.num_cut]
        for note in self._notes:
            notes.remove(note)
        overlapping, cut = self.counts
        self._notes = [
            *([f"{overlapping:,} entities overlap a longer one and were left out: BIO tags cannot represent them."]
              if overlapping else []),
            *([f"{cut:,} words were split where an entity begins or ends within them."] if cut else []),
        ]  # fmt: skip
        notes.extend(self._notes)


def checked_spans(value: Sequence[Any], field_name: str, text: str, origin: str) -> list[CharacterSpan]:
    """Return the checked entities of a record, without white space at their ends.

    Args:
        value: Value of the field.
        field_name: Its name.
        text: The annotated text.
        origin: Place of the record, for messages.

    Raises:
        UserError: One is not ``{"start": …, "end": …, "label": …}`` with characters of ``text``.
    """
    found = []
    for index, one in enumerate(value):
        place = f"{field_name}[{index}]"
        keys = ("start", "end", "label")
        if not isinstance(one, dict) or not all(key in one for key in keys):
            raise UserError(f'The field \'{place}\' of {origin} is {str(one)[:60]}: give {{"start", "end", "label"}}.')
        start, end, label = (one[key] for key in keys)
        if any(isinstance(at, bool) or not isinstance(at, int) for at in (start, end)) or not (
            0 <= start < end <= len(text)
        ):
            raise UserError(
                f"The field '{place}' of {origin} is characters {start} to {end} of a text of {len(text)}: give the "
                "first character and the one after the last, counted in characters, not bytes."
            )
        if not isinstance(label, str) or not label.strip() or label == OUTSIDE:
            raise UserError(f"The field '{place}.label' of {origin} is {label!r} ({kind(label)}): give a type.")
        said = text[start:end]
        if not said.strip():
            raise UserError(f"The field '{place}' of {origin} is only white space: give characters of a word.")
        start, end = start + len(said) - len(said.lstrip()), end - len(said) + len(said.rstrip())
        found.append(CharacterSpan(start, end, label.strip()))
    return found


def checked_offsets(value: Any, field_name: str, text: str, origin: str) -> list[Offsets] | None:
    """Return the checked offsets of each word, in order and disjoint; None where the record has none.

    Args:
        value: Value of the field: first and last character (not included) of each word.
        field_name: Its name.
        text: The annotated text.
        origin: Place of the record, for messages.
    """
    if value is None:
        return None
    found, before = [], 0
    for index, pair in enumerate(value if isinstance(value, list | tuple) else [value]):
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and {type(place) for place in pair} == {int}
        if not is_pair or not before <= pair[0] < pair[1] <= len(text):
            raise UserError(
                f"The field '{field_name}[{index}]' of {origin} is {str(pair)[:60]}: give first and last character "
                f"(not included) of each word, in order, within the text of {len(text)}."
            )
        before = pair[1]
        if text[pair[0] : pair[1]].strip():  # some tools count blanks as words
            found.append((pair[0], pair[1]))
    return found


def tagged_words(text: str, spans: Sequence[CharacterSpan], offsets: Sequence[Offsets] | None = None) -> TaggedWords:
    """Return the words of ``text`` with BIO tags of ``spans``; of overlapping ones the longest is kept.

    Args:
        text: The annotated text.
        spans: Entities.
        offsets: Offsets of words, where they are given; else those of ``words_of``.
    """
    kept: list[CharacterSpan] = []
    for one in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    kept.sort(key=lambda s: s.start)
    given = list(words_of(text)[1] if offsets is None else offsets)
    borders = sorted({border for one in kept for border in (one.start, one.end)})
    places = split_at(given, borders)
    tags = _tags(places, kept)
    words = [text[start:end] for start, end in places]
    return TaggedWords(
        words, places, tags=tags, num_overlapping=len(spans) - len(kept), num_cut=len(places) - len(given)
    )


def _tags(words: Sequence[Offsets], spans: Sequence[CharacterSpan]) -> list[str]:
    """Return ``B-`` for the first word within a span, ``I-`` for the others."""
    tags, at, begun = [], 0, -1
    for start, _ in words:
        while at < len(spans) and spans[at].end <= start:
            at += 1
        inside = at < len(spans) and spans[at].start <= start
        tags.append(f"{'I' if begun == at else 'B'}-{spans[at].type}" if inside else OUTSIDE)
        begun = at if inside else begun
    return tags
