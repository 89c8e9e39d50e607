"""spaCy's JSON: output of ``Doc.to_json``, examples of versions 2 and 3, and its old training format."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, is_list_of, with_fields
from ctxlab.data.readers.tally import Tally

MISSING = ("-", "", None)
"""Tags of words whose entity is not known."""


def recognises(fields: Fields) -> bool:
    """Return whether there are ``ents`` or ``cats`` with a ``text``, or paragraphs of sentences with ``orth``."""
    if isinstance(fields.get("text"), str):
        return isinstance(fields.get("ents"), list) or isinstance(fields.get("cats"), Mapping)
    paragraphs: Any = fields.get("paragraphs")
    return is_list_of(paragraphs, "sentences") and all(is_list_of(one["sentences"], "tokens") for one in paragraphs)


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the text with ``spans`` and the characters of its words, or its best category; for paragraphs, words and
    tags."""
    fields = record.fields
    if "paragraphs" in fields:
        yield _words(record, tally)
    elif task == "classification":
        scores = {name: score for name, score in fields["cats"].items() if score is not None}  # null in a table
        labels = [name for name, score in scores.items() if score >= 0.5]
        best = max(scores, key=lambda name: scores[name]) if scores else None
        yield with_fields(record, label=best, labels=labels)
    else:
        words: Any = fields.get("tokens")
        more = (
            {"offsets": [[word["start"], word["end"]] for word in words]} if is_list_of(words, "start", "end") else {}
        )
        rest = {name: value for name, value in fields.items() if name not in ("tokens", "ents")}
        yield with_fields(Record(rest, record.origin), spans=fields.get("ents"), **more)


def _words(record: Record, tally: Tally) -> Record:
    """Return the words and tags of all paragraphs; a word without a tag counts as outside of entities."""
    sentences = [sentence["tokens"] for paragraph in record.fields["paragraphs"] for sentence in paragraph["sentences"]]
    words = [word for sentence in sentences for word in sentence]
    starts = [0, *accumulate(map(len, sentences))][:-1]
    unknown = sum(word.get("ner") in MISSING for word in words)
    tally.add("{n} words in spaCy's format have no tag and count as outside of entities.", unknown)
    tags = ["O" if word.get("ner") in MISSING else word["ner"] for word in words]
    name = {} if record.fields.get("id") is None else {"id": record.fields["id"]}
    found: dict[str, Any] = {"tokens": [word["orth"] for word in words], "sentence_starts": starts}
    return Record({**name, **found, **({} if unknown == len(words) else {"tags": tags})}, record.origin)


def pair(value: Any) -> dict[str, Any] | None:
    """Return the fields of an example of version 2, a text and its annotations; None for another value."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return None
    text, annotations = value
    if not isinstance(text, str) or not isinstance(annotations, dict):
        return None
    spans = annotations.get("entities")
    marked = (
        {} if spans is None else {"ents": [dict(zip(("start", "end", "label"), one, strict=True)) for one in spans]}
    )
    rest = {name: given for name, given in annotations.items() if name != "entities"}
    return {"text": text, **rest, **marked}


FORMAT = Format("spaCy", frozenset({"ner", "classification"}), recognises, convert)
