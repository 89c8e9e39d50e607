"""Converting tables with one word per row, as in spreadsheets of named entities, into documents."""

from collections.abc import Sequence

from ctxlab.core.data import Record

WORDS, TAGS = ("word", "token"), ("tag", "ner", "ner_tag", "ner_tags", "bio")
SENTENCES = ("sentence #", "sentence", "sentence_id", "sent_id", "sentence_idx")
DOCUMENTS = ("document", "document_id", "doc", "doc_id")
"""Names of their columns, case-insensitive."""


def as_documents(names: Sequence[str], rows: Sequence[Record]) -> list[Record] | None:
    """Return documents with ``tokens``, ``tags`` and ``sentence_starts``; None if rows are not words with tags.

    A sentence or document starts where the value of its column changes; an empty cell repeats the last value.
    """
    columns = {name.casefold(): name for name in names}
    word, tag, sentence, document = (
        next((columns[name] for name in known if name in columns), None)
        for known in (WORDS, TAGS, SENTENCES, DOCUMENTS)
    )
    if word is None or tag is None or any(not _is_word(row.fields[word]) for row in rows):
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
            found.append(Record({"tokens": [], "tags": [], "sentence_starts": []}, row.origin))
        fields = found[-1].fields
        if not fields["tokens"] or any(changed.values()):
            fields["sentence_starts"].append(len(fields["tokens"]))
        fields["tokens"].append(row.fields[word])
        fields["tags"].append(row.fields[tag])
    return found


def _is_word(cell: object) -> bool:
    return isinstance(cell, str) and bool(cell) and " " not in cell.strip()
