"""Converting tables with one word per row, as in spreadsheets of named entities, into documents."""

from collections.abc import Sequence

from ctxlab.core.data import Record
from ctxlab.data.readers.word_places import Places
from ctxlab.text.units import words

WORDS, TAGS = ("word", "token"), ("tag", "ner", "ner_tag", "ner_tags", "bio")
SENTENCES = ("sentence #", "sentence", "sentence_id", "sent_id", "sentence_idx")
DOCUMENTS = ("document", "document_id", "doc", "doc_id")
"""Names of their columns, case-insensitive."""


def as_documents(names: Sequence[str], rows: Sequence[Record]) -> list[Record] | None:
    """Return documents with ``tokens``, ``tags`` and ``sentence_starts``; None if rows are not words with tags.

    A sentence or document starts where the value of its column changes; an empty cell repeats the last value. Words may
    have places on a page, and are then read as ``boxes``, with or without tags: columns ``x0, y0, x1, y1`` and perhaps
    ``page``, or ``row`` and ``column`` of their cell in a table, which may hold several words.

    Raises:
        UserError: A place is no number.
    """
    columns = {name.casefold(): name for name in names}
    word, tag, sentence, document = (
        next((columns[name] for name in known if name in columns), None)
        for known in (WORDS, TAGS, SENTENCES, DOCUMENTS)
    )
    places = Places(columns)
    if word is None or (tag is None and not places.has_any):
        return None
    if not places.has_cells and any(not _is_word(row.fields[word]) for row in rows):
        return None
    found: list[Record] = []
    before: dict[str, str] = {}
    for row in rows:
        changed = {
            name: bool(row.fields[name]) and row.fields[name] != before.get(name)
            for name in (sentence, document)
            if name is not None
        }
        before |= {name: row.fields[name] for name, is_new in changed.items() if is_new}
        if not found or changed.get(document or ""):
            found.append(Record({"tokens": [], "tags": [], "sentence_starts": [], "boxes": []}, row.origin))
        fields = found[-1].fields
        if not fields["tokens"] or any(changed.values()):
            fields["sentence_starts"].append(len(fields["tokens"]))
        own = words(row.fields[word]) if places.has_cells else [row.fields[word]]
        fields["tokens"] += own
        fields["tags"] += [] if tag is None else _tags(row.fields[tag], len(own))
        if places.has_any:
            fields["boxes"] += [places.of(row)] * len(own)
    for record in found:
        boxes = record.fields.pop("boxes")
        if boxes:
            record.fields["boxes"] = places.boxes(boxes)
        if tag is None:
            del record.fields["tags"]
    return found


def _tags(tag: str, count: int) -> list[str]:
    """Return the tags of the words of a cell: what begins with its first word goes on with the others."""
    rest = f"I{tag[1:]}" if tag[:2] == "B-" else tag
    return [tag if place == 0 else rest for place in range(count)]


def _is_word(cell: object) -> bool:
    return isinstance(cell, str) and bool(cell) and " " not in cell.strip()
