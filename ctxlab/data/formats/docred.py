"""DocRED and similar data sets (Re-DocRED, CDR): sentences of words, entities as groups of mentions, relations."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.base import Fields, Format
from ctxlab.data.readers.tally import Tally


def recognises(fields: Fields) -> bool:
    """Return whether there are sentences (``sents``) and entities (``vertexSet``)."""
    return "sents" in fields and "vertexSet" in fields


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Join the words of all sentences; positions of mentions count from the start of the document.

    A mention that an entity lists twice counts once. Relations of an entity with itself are left out.
    """
    del task
    fields = record.fields
    starts = [0, *accumulate(map(len, fields["sents"]))]
    found: dict[str, Any] = {
        "tokens": [word for sentence in fields["sents"] for word in sentence],
        "sentence_starts": [start for start, words in zip(starts, fields["sents"], strict=False) if words],
        "entities": [
            _entity(mentions, starts, f"vertexSet[{index}]", record.origin)
            for index, mentions in enumerate(fields["vertexSet"])
        ],
    }
    if fields.get("labels") is not None:
        relations = [_relation(label) for label in _rows(fields["labels"])]
        apart = [relation for relation in relations if relation["head"] != relation["tail"]]
        tally.add("{n} relations of an entity with itself were left out.", len(relations) - len(apart))
        found["relations"] = [one for place, one in enumerate(apart) if one not in apart[:place]]
    more = {"id": fields["id"]} if fields.get("id") is not None else {}
    yield Record({**more, **found}, record.origin)


def _entity(mentions: Sequence[Mapping[str, Any]], starts: Sequence[int], place: str, origin: str) -> dict[str, Any]:
    spans = []
    for index, mention in enumerate(mentions):
        number = mention.get("sent_id")
        if not isinstance(number, int) or not 0 <= number < len(starts) - 1 or len(mention.get("pos") or ()) != 2:
            raise UserError(
                f"The field '{place}[{index}]' of {origin} is {str(dict(mention))[:80]}: a mention of DocRED has "
                "'sent_id', the number of a sentence, and 'pos', its first word there and the word after its last."
            )
        spans.append([starts[number] + int(mention["pos"][0]), starts[number] + int(mention["pos"][1])])
    unique = [span for index, span in enumerate(spans) if span not in spans[:index]]
    return {"type": mentions[0].get("type") if mentions else None, "mentions": unique}


def _rows(labels: Any) -> list[Mapping[str, Any]]:
    """Return relations as a list of objects; the hub has a list for each of their fields."""
    if not isinstance(labels, Mapping):
        return list(labels)
    return [dict(zip(labels, row, strict=True)) for row in zip(*labels.values(), strict=True)]


def _relation(label: Mapping[str, Any]) -> dict[str, Any]:
    name = label.get("r", label.get("relation_id"))
    return {"head": label.get("h", label.get("head")), "tail": label.get("t", label.get("tail")), "label": name}


FORMAT = Format("DocRED", frozenset({"relation"}), recognises, convert)
