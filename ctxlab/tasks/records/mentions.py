"""Checks the entities of a record, their mentions, and the relations between them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.tasks.records.fields import kind

Span = tuple[int, int]
"""First word of a mention, and the word after its last."""

Fact = tuple[int, int, str]
"""Head, tail and label of a relation; entities by their index in the record."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The predicted relations of one document."""

    relations: tuple[Fact, ...]
    scores: tuple[float, ...]
    """Score of each minus the threshold of its pair."""
    in_training: tuple[bool, ...]
    """For each gold relation whether the training documents have it between entities of the same names."""
    found: tuple[Fact, ...] | None = None
    """Relations between the entities that a run of ``task=ner`` found, by their index; None where none was asked."""


def entities_of(record: Mapping[str, Any], field: str, num_words: int, origin: str) -> list[dict[str, Any]]:
    """Return checked entities as ``{"type": …, "mentions": [(start, end), …]}``; the type is "" where none is given.

    Args:
        record: A raw record.
        field: Its field with the entities.
        num_words: Words of the document.
        origin: Place of the record, for messages.

    Raises:
        UserError: A value is not valid; names its place in the record.
    """
    found = []
    for index, entity in enumerate(listed(record[field], field, origin)):
        place = f"{field}[{index}]"
        if not isinstance(entity, Mapping):
            raise UserError(
                f"The field '{place}' of {origin} is {kind(entity)}: "
                'write an entity as {"type": …, "mentions": [[start, end], …]}.'
            )
        name = "" if entity.get("type") is None else entity["type"]
        if not isinstance(name, str):
            raise UserError(f"The field '{place}.type' of {origin} is {kind(name)} ({name!r}): give a name, or none.")
        spans = [_span(one, f"{place}.mentions[{i}]", num_words, origin) for i, one in _mentions(entity, place, origin)]
        _refuse_twice(spans, f"{place}.mentions", origin)
        found.append({"type": name, "mentions": spans})
    return found


def relations_of(record: Mapping[str, Any], field: str, num_entities: int, origin: str) -> list[Fact]:
    """Return relations, checked against the number of entities.

    Args:
        record: A raw record.
        field: Its field with the relations.
        num_entities: Entities of the record.
        origin: Place of the record, for messages.
    """
    found: list[Fact] = []
    for index, relation in enumerate(listed(record[field], field, origin)):
        place = f"{field}[{index}]"
        if not isinstance(relation, Mapping):
            raise UserError(
                f"The field '{place}' of {origin} is {kind(relation)}: "
                'write a relation as {"head": …, "tail": …, "label": …}.'
            )
        head, tail = (
            _entity(relation, end, place=place, num_entities=num_entities, origin=origin) for end in ("head", "tail")
        )
        if head == tail:
            raise UserError(
                f"The field '{place}' of {origin} relates entity {head} to itself: give two different entities."
            )
        label = relation.get("label")
        if not isinstance(label, str) or not label:
            raise UserError(f"The field '{place}.label' of {origin} is {label!r}: give the name of a relation.")
        found.append((head, tail, label))
    _refuse_twice(found, field, origin)
    return found


def listed(value: Any, field: str, origin: str) -> list[Any]:
    """Return the value as a list, whatever sequence type the reader returned."""
    if not isinstance(value, list | tuple | np.ndarray):
        raise UserError(f"The field '{field}' of {origin} is {kind(value)}: give a list.")
    return list(value)


def names(tokens: Sequence[str], entity: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of an entity: the words of each mention, joined by blanks."""
    return frozenset(" ".join(tokens[start:end]) for start, end in entity["mentions"])


def fact_hashes(fields: Mapping[str, Any], fact: Fact) -> Iterator[int]:
    """Yield a 64-bit hash for each triple of a head's name, a tail's name and the label of ``fact``."""
    head, tail = (names(fields["tokens"], fields["entities"][index]) for index in fact[:2])
    for one in sorted(head):
        for other in sorted(tail):
            digest = hashlib.sha256("\x1f".join((one, other, fact[2])).encode()).digest()
            yield int.from_bytes(digest[:8], "big", signed=True)


def _mentions(entity: Mapping[str, Any], place: str, origin: str) -> Iterator[tuple[int, Any]]:
    if entity.get("mentions") is None:
        raise UserError(f"The field '{place}' of {origin} has no 'mentions': give a list of [start, end].")
    spans = listed(entity["mentions"], f"{place}.mentions", origin)
    if not spans:
        raise UserError(f"The field '{place}.mentions' of {origin} is empty: give at least one mention, or no entity.")
    return enumerate(spans)


def _span(value: Any, place: str, num_words: int, origin: str) -> Span:
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2 or not all(map(_is_whole, value)):
        raise UserError(f"The field '{place}' of {origin} is {value!r}: give [start, end], two word indices.")
    start, end = map(int, value)
    if start >= end:
        raise UserError(
            f"The field '{place}' of {origin} is [{start}, {end}], a mention without words: "
            "give as end the word after the last one."
        )
    if start < 0 or end > num_words:
        raise UserError(
            f"The field '{place}' of {origin} is [{start}, {end}], outside the document of {num_words} words: "
            f"give a mention within [0, {num_words}]."
        )
    return start, end


def _entity(relation: Mapping[str, Any], end: str, place: str, num_entities: int, origin: str) -> int:
    value: Any = relation.get(end)
    if not _is_whole(value):
        raise UserError(f"The field '{place}.{end}' of {origin} is {value!r}: give the index of an entity.")
    if not 0 <= int(value) < num_entities:
        there = f"they are 0 to {num_entities - 1}" if num_entities else "the document has none"
        raise UserError(
            f"The field '{place}.{end}' of {origin} is {value}, and there is no such entity: {there}, counted from 0."
        )
    return int(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _refuse_twice(values: Sequence[Any], place: str, origin: str) -> None:
    if len(set(values)) < len(values):
        index = next(i for i, value in enumerate(values) if value in values[:i])
        raise UserError(f"The field '{place}[{index}]' of {origin} repeats {list(values[index])}: give it once.")
