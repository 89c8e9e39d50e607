"""Entities as spans of words: SpERT's files (CoNLL04, ADE), and DyGIE++'s, which has sentences (SciERC, GENIA, ACE)."""

from collections.abc import Iterator, Mapping
from itertools import accumulate, chain
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally

NESTED = "{n} entities overlap another one and were left out: BIO tags cannot represent them."


def is_spert(fields: Fields) -> bool:
    """Return whether there are words, entities with one ``start`` and ``end`` each, and no tags."""
    return "tags" not in fields and is_list_of(fields.get("entities"), "type", "start", "end") and "tokens" in fields


def of_spert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield tags, or entities and relations; ends are not included, and relations name entities by their index."""
    fields = record.fields
    spans = [(one["start"], one["end"], one["type"]) for one in fields["entities"]]
    if task == "ner":
        yield with_fields(record, tags=_tags(spans, len(fields["tokens"]), tally))
        return
    relations = [{"head": o["head"], "tail": o["tail"], "label": o["type"]} for o in fields.get("relations") or ()]
    entities = [{"type": label, "mentions": [[start, end]]} for start, end, label in spans]
    yield with_fields(record, entities=entities, relations=relations)


def is_dygie(fields: Fields) -> bool:
    """Return whether there are lists of sentences and of their entities."""
    return "tokens" not in fields and _are_lists(fields.get("sentences")) and _are_lists(fields.get("ner"))


def of_dygie(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield tags, or entities and relations, for the whole document.

    Words are counted from its start, and ends are included; spans of one cluster are mentions of one entity.
    """
    fields = record.fields
    words = list(chain.from_iterable(fields["sentences"]))
    spans = {(start, end + 1): label for start, end, label, *_ in chain.from_iterable(fields["ner"])}
    starts = [start for start, one in zip(accumulate(map(len, fields["sentences"]), initial=0), fields["sentences"],
                                          strict=False) if one]  # fmt: skip
    found: dict[str, Any] = {"id": fields.get("doc_key"), "tokens": words, "sentence_starts": starts}
    if task == "ner":
        found["tags"] = _tags([(*place, label) for place, label in sorted(spans.items())], len(words), tally)
        yield Record(found, record.origin)
        return
    clusters = [[(start, end + 1) for start, end in one] for one in fields.get("clusters") or ()]
    of_cluster = {place: index for index, places in enumerate(clusters) for place in places}
    entities: dict[Any, dict[str, Any]] = {}
    numbers: dict[tuple[int, int], int] = {}
    for place, label in sorted(spans.items()):
        key = of_cluster.get(place, place)
        entities.setdefault(key, {"type": label, "mentions": []})["mentions"].append(list(place))
        numbers[place] = list(entities).index(key)
    relations: list[Mapping[str, Any]] = []
    for start, end, other, last, label, *_ in chain.from_iterable(fields.get("relations") or ()):
        pair = numbers[start, end + 1], numbers[other, last + 1]
        if pair[0] == pair[1]:
            tally.add("{n} relations of an entity with itself were left out.")
        elif (one := {"head": pair[0], "tail": pair[1], "label": label}) not in relations:
            relations.append(one)
    yield Record({**found, "entities": list(entities.values()), "relations": relations}, record.origin)


def _tags(spans: list[tuple[int, int, str]], count: int, tally: Tally) -> list[str]:
    """Return the BIO tags of ``count`` words; of overlapping spans the longest is kept."""
    tags = ["O"] * count
    for start, end, label in sorted(spans, key=lambda one: (one[0] - one[1], one[0])):
        if not 0 <= start < end <= count:
            raise ValueError(f"words {start} to {end} of {count}")
        if any(tag != "O" for tag in tags[start:end]):
            tally.add(NESTED)
            continue
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags


def _are_lists(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, list) for one in value)


SPERT = Format("SpERT", frozenset({"relation", "ner"}), is_spert, of_spert)
DYGIE = Format("DyGIE++", frozenset({"relation", "ner"}), is_dygie, of_dygie)
