"""Relations between spans of characters in the formats of brat, doccano, Prodigy and Label Studio."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats import label_studio
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally
from ctxlab.text.units import split_at, token_spans


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of characters that relations name by ``key``."""

    key: Hashable
    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Annotated:
    """A text with mentions, and relations between them as (key, key, label)."""

    text: str
    mentions: Sequence[Mention]
    relations: Sequence[tuple[Hashable, Hashable, str]]
    same: Sequence[Sequence[Hashable]] = ()
    """Groups of mentions of one entity; every other mention is a separate entity."""


def recognises(fields: Fields) -> bool:
    """Return whether there is a text with spans, or a task of Label Studio, and no field ``entities``."""
    return _tool(fields) is not None


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the words of the text, entities by their words, and relations by entity.

    Words are split where a mention begins or ends within them. A repeated relation counts once, and a relation of an
    entity with itself is left out, as are texts without an annotation and rejected texts.
    """
    del task
    tool = _tool(record.fields)
    assert tool is not None, "recognised by it"
    found = tool(record.fields, record.origin)
    if found is None:
        tally.add("{n} texts have no accepted annotation and were left out.")
        return
    entities, numbers, words = _entities(found, record.origin)
    relations = []
    for head, tail, label in found.relations:
        pair = [_number(numbers, key, record.origin) for key in (head, tail)]
        if pair[0] == pair[1]:
            tally.add("{n} relations of an entity with itself were left out.")
        elif (one := {"head": pair[0], "tail": pair[1], "label": label}) not in relations:
            relations.append(one)
    named = {"id": record.fields["id"]} if record.fields.get("id") is not None else {}
    yield with_fields(Record(named, record.origin), tokens=words, entities=entities, relations=relations)


def _entities(found: Annotated, origin: str) -> tuple[list[dict[str, Any]], dict[Hashable, int], list[str]]:
    """Return the entities, the entity of each mention by its key, and the words of the text."""
    for one in found.mentions:
        if not 0 <= one.start < one.end <= len(found.text):
            raise UserError(
                f"{origin} has an entity of characters {one.start} to {one.end} in a text of {len(found.text)}: give "
                "the first character and the one after the last."
            )
    borders = sorted({border for one in found.mentions for border in (one.start, one.end)})
    places = split_at(token_spans(found.text), borders)
    groups = {key: index for index, keys in enumerate(found.same) for key in keys}
    entities: dict[Hashable, dict[str, Any]] = {}
    numbers: dict[Hashable, int] = {}
    for one in found.mentions:
        inside = [index for index, (start, end) in enumerate(places) if one.start <= start and end <= one.end]
        if not inside:
            raise UserError(f"{origin} has an entity of white space only, from character {one.start} on: remove it.")
        group = ("same", groups[one.key]) if one.key in groups else ("one", one.key)
        entity = entities.setdefault(group, {"type": one.label, "mentions": []})
        if (span := [inside[0], inside[-1] + 1]) not in entity["mentions"]:
            entity["mentions"].append(span)
        numbers[one.key] = list(entities).index(group)
    return list(entities.values()), numbers, [found.text[start:end] for start, end in places]


def _number(numbers: Mapping[Hashable, int], key: Hashable, origin: str) -> int:
    if key not in numbers:
        raise UserError(f"{origin} has a relation with the entity {key!r}, which is not among its entities: add it.")
    return numbers[key]


def _brat(fields: Fields, origin: str) -> Annotated:
    """Convert a record of the brat reader."""
    del origin
    mentions = [Mention(one["id"], one["start"], one["end"], one["label"]) for one in fields["spans"]]
    relations = [(one["head"], one["tail"], one["label"]) for one in fields["relations"]]
    return Annotated(fields["text"], mentions, relations, fields["same"])


def _doccano(fields: Fields, origin: str) -> Annotated:
    del origin
    mentions = [Mention(one["id"], one["start_offset"], one["end_offset"], one["label"]) for one in fields["entities"]]
    relations = [(one["from_id"], one["to_id"], one["type"]) for one in fields["relations"]]
    return Annotated(fields["text"], mentions, relations)


def _prodigy(fields: Fields, origin: str) -> Annotated | None:
    """Convert a record of Prodigy, whose relations contain the spans of both ends, even if not in ``spans``."""
    del origin
    if fields.get("answer", "accept") != "accept":
        return None
    relations = fields["relations"]
    spans = [*(fields.get("spans") or []), *(one[end] for one in relations for end in ("head_span", "child_span"))]
    labels = {(one["start"], one["end"]): one.get("label", "") for one in reversed(spans)}
    ends = [tuple((one[end]["start"], one[end]["end"]) for end in ("head_span", "child_span")) for one in relations]
    return Annotated(
        fields["text"],
        [Mention(place, *place, label) for place, label in sorted(labels.items())],
        [(head, child, one["label"]) for (head, child), one in zip(ends, relations, strict=True)],
    )


def _label_studio(fields: Fields, origin: str) -> Annotated | None:
    results = label_studio.results_of(fields)
    if results is None:
        return None
    spans = [(one["id"], label_studio.span_of(one["value"])) for one in results if "start" in (one.get("value") or {})]
    relations = [
        (one["from_id"], one["to_id"], (one.get("labels") or ["related"])[0])
        for one in results
        if one.get("type") == "relation"
    ]
    mentions = [Mention(key, one["start"], one["end"], one["label"] or "") for key, one in spans]
    return Annotated(label_studio.text_of(fields["data"], origin), mentions, relations)


def _tool(fields: Fields) -> Any:
    """Return the function for the tool that wrote a record; None for a record of another form."""
    if "tokens" in fields and not is_list_of(fields["tokens"], "text", "start", "end"):
        return None
    if label_studio.is_task(fields):
        return _label_studio
    if not isinstance(fields.get("text"), str) or not isinstance(fields.get("relations"), list):
        return None
    if "same" in fields and "spans" in fields:
        return _brat
    if is_list_of(fields.get("entities"), "id", "start_offset", "end_offset"):
        return _doccano
    return _prodigy if "spans" in fields or is_list_of(fields["relations"], "head_span", "child_span") else None


FORMAT = Format("annotated spans with relations", frozenset({"relation"}), recognises, convert)
