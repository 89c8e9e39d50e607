"""The sentence with a document's evidence, moved to other places of the same document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ctxlab.augment.changing.passage import read, sentences
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.text.sentences import sentence_starts

SPANS = "spans"
"""Field with pairs of places, of tasks without a shape whose documents have their text in ``TEXT``."""

TEXT = "text"

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Movable:
    """A document whose evidence is in one run of sentences."""

    document: Document
    field: str
    """Field of the text."""
    borders: tuple[Span, ...]
    """First character of each sentence, and the one after its last visible one."""
    first: int
    last: int
    """Sentences with the evidence, the last one included."""

    @property
    def num_places(self) -> int:
        """Return the number of places that the evidence can have."""
        return len(self.borders) - (self.last - self.first)


def movable(document: Document, task: Task) -> Movable | None:
    """Return a document with its evidence; None where it has none, is no single text, or the evidence fills it."""
    field, spans = _evidence(document, task)
    text = document.fields.get(field)
    several = task.shape is not None and len(document.fields.get(task.shape.texts) or ()) > 1
    if not spans or several or not isinstance(text, str):
        return None
    borders = _sentences(document, task, text)
    inside = [i for i, (start, end) in enumerate(borders) if any(start < e and s < end for s, e in spans)]
    if not inside:
        return None
    found = Movable(document, field, borders=borders, first=inside[0], last=inside[-1])
    return found if found.num_places > 1 else None


def _evidence(document: Document, task: Task) -> tuple[str, list[Span]]:
    """Return the field of the text and the places of the evidence: known pieces, answers, or what a probe asks for."""
    fields, shape = document.fields, task.shape
    if shape is None:
        return TEXT, [(start, end) for start, end in fields.get(SPANS) or ()]
    pieces = [one for name in shape.spans for one in fields.get(name) or () if isinstance(one, Mapping)]
    return shape.text, [(one["start"], one.get("end", one["start"] + 1)) for one in pieces]


def _sentences(document: Document, task: Task, text: str) -> tuple[Span, ...]:
    """Return the sentences, without the white space around them."""
    if task.shape is None:
        starts = sorted({0, *sentence_starts(text, language=document.fields.get("language", "")), len(text)})
        found = list(pairwise(starts))
    else:
        passage = read(document, task)
        places = [
            (passage.offsets[start][0], passage.offsets[end - 1][1])
            for start, end in sentences(document, task, passage)
        ]
        found = places
    stripped = [(start, start + len(text[start:end].rstrip())) for start, end in found]
    return tuple((start, end) for start, end in stripped if start < end)


def moved(one: Movable, share: float, task: Task) -> Document:
    """Return the document with its evidence at a place, from 0 (the beginning) to 1 (the end).

    White space between sentences stays where it is, and all places of the text move with their sentences.

    Args:
        one: The document.
        share: The place.
        task: Says which fields refer to places.
    """
    text, order = one.document.fields[one.field], list(range(len(one.borders)))
    evidence = order[one.first : one.last + 1]
    rest = [index for index in order if index not in evidence]
    at = round(share * len(rest))
    order = [*rest[:at], *evidence, *rest[at:]]
    starts, pieces, length = {}, [text[: one.borders[0][0]]], one.borders[0][0]
    for slot, index in enumerate(order):
        start, end = one.borders[index]
        starts[index] = length
        gap = text[one.borders[slot][1] : one.borders[slot + 1][0] if slot + 1 < len(order) else len(text)]
        pieces += [text[start:end], gap]
        length += end - start + len(gap)
    fields = _placed(one, task, _Shift(one.borders, starts))
    return task.renew(replace(one.document, fields={**fields, one.field: "".join(pieces)}))


class _Shift:
    """Where a place of the text is afterwards."""

    def __init__(self, borders: Sequence[Span], starts: Mapping[int, int]) -> None:
        self._borders, self._starts = borders, starts

    def begin(self, place: int) -> int:
        """Return where what begins at ``place`` begins."""
        index = max((i for i, (start, _) in enumerate(self._borders) if start <= place), default=0)
        return place - self._borders[index][0] + self._starts[index]


def _placed(one: Movable, task: Task, shift: _Shift) -> dict[str, Any]:
    """Return the fields of the document with all places moved."""
    fields, shape = dict(one.document.fields), task.shape
    if shape is None:
        spans = [(shift.begin(start), shift.begin(start) + end - start) for start, end in fields[SPANS]]
        return fields | {SPANS: [list(span) for span in spans]}
    for name in shape.derived:
        fields.pop(name, None)
    for name in shape.spans:
        if name in fields:
            fields[name] = [_piece(piece, shift) for piece in fields[name] or ()]
    for name in {shape.sentences, *shape.starts} & fields.keys():
        fields[name] = sorted(shift.begin(place) for place in fields[name])
    return fields


def _piece(piece: Mapping[str, Any], shift: _Shift) -> dict[str, Any]:
    start = shift.begin(piece["start"])
    ends = {"end": start + piece["end"] - piece["start"]} if "end" in piece else {}
    return {**piece, "start": start, **ends}
