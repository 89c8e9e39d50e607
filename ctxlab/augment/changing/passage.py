"""A document's text as units, whether it is a list of words or a text, and back to a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ctxlab.augment.changing.places import Move, Places
from ctxlab.core.shape import LabelledSpan, Shape
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.text.sentences import sentence_starts
from ctxlab.text.units import joined, token_spans

OUTSIDE = "O"
"""Tag of inserted words that bring none."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The units of a document: its words, or the words and marks of its text."""

    units: Sequence[str]
    offsets: Sequence[tuple[int, int]]
    """Place of each unit: characters of a text, or indices of words."""
    tags: Sequence[str]
    """Tag of each unit; empty where the document has none."""
    spans: Sequence[LabelledSpan]
    """Labelled parts in units, in order; some may overlap."""
    labelled: frozenset[int]
    """Units within them."""
    is_text: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Units that are replaced, or inserted before ``start`` where ``end`` is the same."""

    start: int
    end: int
    units: tuple[str, ...]
    """What is there afterwards; of a text a unit may be a sentence."""
    tags: tuple[str, ...] = ()
    """Tags of these; empty keeps those of the replaced ones, and is ``O`` for inserted ones."""


def read(document: Document, task: Task) -> Passage:
    """Return the units of a document of a task that has a shape."""
    assert task.shape is not None
    text = document.fields[task.shape.text]
    is_text = isinstance(text, str)
    offsets = token_spans(text) if is_text else [(index, index + 1) for index in range(len(text))]
    spans = [_in_units(span, offsets) for span in task.labelled_spans(document)]
    return Passage(
        units=[text[start:end] for start, end in offsets] if is_text else list(text),
        offsets=offsets,
        tags=document.fields.get(task.shape.tags, ()),
        spans=spans,
        labelled=frozenset(index for span in spans for index in range(span.start, span.end)),
        is_text=is_text,
    )


def _in_units(span: LabelledSpan, offsets: Sequence[tuple[int, int]]) -> LabelledSpan:
    """Return a span of places as one of units: all that it touches."""
    first = _first(offsets, lambda one: one[1] > span.start)
    return LabelledSpan(first, max(_first(offsets, lambda one: one[0] >= span.end), first), span.label)


def _first(offsets: Sequence[tuple[int, int]], holds: Any) -> int:
    """Return the index of the first offset for which a condition holds, which then holds for all after it."""
    low, high = 0, len(offsets)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(offsets[middle]) else (middle + 1, high)
    return low


def sentences(document: Document, task: Task, passage: Passage) -> list[tuple[int, int]]:
    """Return first unit and the one after the last of each sentence: as the record says, else by the text's stops."""
    assert task.shape is not None
    given = document.fields.get(task.shape.sentences)
    if given is None:
        text, offsets = document.fields[task.shape.text], passage.offsets
        if not passage.is_text:
            text, offsets = joined(passage.units)
        places = sentence_starts(text, language=document.fields.get("language", ""))
        given = [_first(offsets, lambda one, place=place: one[1] > place) for place in places]
    borders = sorted({0, *given, len(passage.units)})
    return [(start, end) for start, end in pairwise(borders) if start < end]


def write(document: Document, shape: Shape, passage: Passage, edits: Sequence[Edit]) -> Document:
    """Return the document with edits made, and all places and tags moved along.

    Args:
        document: Whose units they are.
        shape: Its fields.
        passage: Its units.
        edits: In order and disjoint; none crosses the border of a labelled part, but may replace a whole one.
    """
    text, moves = _text(document.fields[shape.text], passage, edits)
    places = Places(moves)
    fields: dict[str, Any] = {name: value for name, value in document.fields.items() if name not in shape.derived}
    fields[shape.text] = text
    if shape.tags and passage.tags:
        fields[shape.tags] = _tags(passage, edits)
    for name in {shape.sentences, shape.texts, *shape.starts, *shape.spans, shape.entities} & fields.keys():
        fields[name] = _moved(name, fields[name], shape, places)
    return replace(document, fields=fields)


def _text(text: Any, passage: Passage, edits: Sequence[Edit]) -> tuple[Any, list[Move]]:
    """Return the text or list of words afterwards, and the parts that moved."""
    pieces: list[Any] = []
    moves, at = list[Move](), 0
    for edit in edits:
        start, end = _border(edit, passage, len(text))
        new: Any = list(edit.units)
        if passage.is_text:
            new = joined(edit.units)[0] + (" " if edit.start == edit.end and start < len(text) else "")
        pieces += [text[at:start], new]
        moves.append(Move(start, end, len(new)))
        at = end
    pieces.append(text[at:])
    whole: Any = "".join(pieces) if passage.is_text else [word for piece in pieces for word in piece]
    return whole, moves


def _border(edit: Edit, passage: Passage, length: int) -> tuple[int, int]:
    start = passage.offsets[edit.start][0] if edit.start < len(passage.units) else length
    return start, start if edit.start == edit.end else passage.offsets[edit.end - 1][1]


def _tags(passage: Passage, edits: Sequence[Edit]) -> list[str]:
    tags, at = list[str](), 0
    for edit in edits:
        replaced = passage.tags[edit.start : edit.end] or [OUTSIDE] * len(edit.units)
        new = edit.tags or replaced
        assert len(new) == len(edit.units)
        tags += [*passage.tags[at : edit.start], *new]
        at = edit.end
    return [*tags, *passage.tags[at:]]


def _moved(name: str, value: Any, shape: Shape, places: Places) -> Any:
    """Return the value of a field with its places moved."""
    if name in shape.spans:
        return [_object(one, places) for one in value or ()]
    if name == shape.entities:
        return [{**one, "mentions": [_pair(mention, places) for mention in one["mentions"]]} for one in value]
    if name == shape.texts:  # what is inserted at the beginning of a text belongs to it
        return [places.end(place) for place in value]
    inserted = places.inserted() if name == shape.sentences else []
    return sorted({*(places.begin(place) for place in value), *inserted})


def _object(one: Mapping[str, Any], places: Places) -> dict[str, Any]:
    moved = {"start": places.begin(one["start"])}
    if "end" in one:
        moved["end"] = places.end(one["end"])
    return {**one, **moved}


def _pair(mention: tuple[int, int], places: Places) -> tuple[int, int]:
    return places.begin(mention[0]), places.end(mention[1])
