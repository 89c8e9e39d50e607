"""Records with what is personal replaced in every text they have, before a task reads any of it."""

from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.privacy import Edit, Find, Privacy, Protection
from ctxlab.privacy.finding.known import KINDS, found
from ctxlab.text.units import joined

NOT_TEXTS = frozenset({"tags", "label", "labels", "language"})
"""Fields with names from a list, not with texts."""


COUNT_CHARACTERS = ("probes", "offsets")
"""Fields with places in a text that prediction does not need; they are left out where a replacement moves the text."""


@dataclass(slots=True)
class _Text:
    """A text of a record, or a list of words as its running text."""

    field: str
    holder: Any
    key: Any
    """Where it is: ``holder[key]``, a copy of the record's own."""
    text: str
    spans: Sequence[tuple[int, int]] = ()
    """Characters of each word, of a list of words."""


def protected(records: Sequence[Record], privacy: Privacy) -> list[Record]:
    """Return records in which replacements stand for all that is personal, with what was replaced where.

    Every text of a record is searched as a whole, at any depth, and a list of words as its running text. A name of a
    record that has something personal in it becomes a pseudonym. The records themselves stay as they are.

    Args:
        records: In the fields that a task reads.
        privacy: Finds and replaces.
    """
    if not privacy.acts:
        return list(records)
    copies = [_copied(dict.items(record.fields)) for record in records]
    rows = [list(_texts(fields, "")) for fields in copies]
    texts = iter(privacy.find([one.text for row in rows for one in row if one.key != "id"]))
    return [
        _with(
            record,
            fields,
            row,
            finds=[_in_name(one.text) if one.key == "id" else next(texts) for one in row],
            privacy=privacy,
        )
        for record, fields, row in zip(records, copies, rows, strict=True)
    ]


def _in_name(text: str) -> list[Find]:
    """Return what is found in the name of a record: what has a form, as names are no sentences."""
    return found(text, tuple(KINDS))


def _with(
    record: Record, fields: dict[str, Any], row: Sequence[_Text], finds: Sequence[Sequence[Find]], privacy: Privacy
) -> Record:
    edits: dict[str, list[Edit]] = {}
    words: dict[str, list[tuple[str, int, int]]] = {}
    for one, here in zip(row, finds, strict=True):
        if not here:
            continue
        if one.key == "id":
            one.holder[one.key] = _edited(one.text, here, [privacy.name(find) for find in here])[0]
        elif one.spans:
            edits[one.field], words[one.field] = _in_words(one, here, privacy)
        else:
            new = [privacy.replacement(find, one.text[find.start : find.end]) for find in here]
            one.holder[one.key], edits[one.field] = _edited(one.text, here, new)
    if any(edit.end - edit.start != edit.new_end - edit.new_start for row in edits.values() for edit in row):
        fields |= {name: None for name in COUNT_CHARACTERS if name in fields}
    return replace(record, fields=_like(record.fields, fields), protection=Protection(edits, words))


def _like(given: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the new values in a mapping of the same class, which may note what is read of it."""
    if type(given) is dict:
        return fields
    dict.update(given, fields)
    return given


def _copied(items: Any) -> dict[str, Any]:
    return {key: _copy(value) for key, value in items}


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list | tuple) else value


def _texts(holder: Any, place: str) -> Iterator[_Text]:
    """Yield the texts within a mapping or list."""
    items = holder.items() if isinstance(holder, Mapping) else enumerate(holder)
    for key, value in items:
        name = f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}" if place else str(key)
        if name in NOT_TEXTS:
            continue
        if isinstance(value, str):
            yield _Text(name, holder, key, value)
        elif _is_words(value):
            text, spans = joined(value)
            yield _Text(name, holder, key, text=text, spans=spans)
        elif isinstance(value, Mapping | MutableSequence):
            yield from _texts(value, name)


def _is_words(value: Any) -> bool:
    """Whether a value is a list of words, rather than of texts."""
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(one, str) and not any(map(str.isspace, one)) for one in value)
    )


def _edited(text: str, finds: Sequence[Find], new: Sequence[str]) -> tuple[str, list[Edit]]:
    """Return the text with replacements, and where they are."""
    parts, edits, length, at = [], [], 0, 0
    for find, one in zip(finds, new, strict=True):
        parts += [text[at : find.start], one]
        length += find.start - at
        edits.append(Edit(find.kind, find.start, find.end, new_start=length, new_end=length + len(one)))
        length, at = length + len(one), find.end
    return "".join([*parts, text[at:]]), edits


def _in_words(one: _Text, finds: Sequence[Find], privacy: Privacy) -> tuple[list[Edit], list[tuple[str, int, int]]]:
    """Replace every word of a find, so that as many words remain; returns places in running text and in words."""
    words, kinds, places = list(one.holder[one.key]), dict[int, str](), []
    for find in finds:
        inside = [i for i, (start, end) in enumerate(one.spans) if start < find.end and end > find.start]
        places.append((find.kind, inside[0], inside[-1] + 1))
        for index in inside:
            words[index] = privacy.replacement(find, words[index])
            kinds[index] = find.kind
    one.holder[one.key] = words
    spans = joined(words)[1]
    return [Edit(kinds[i], *one.spans[i], *spans[i]) for i in sorted(kinds)], places
