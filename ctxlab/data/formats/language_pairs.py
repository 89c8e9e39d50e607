"""Translations in the format of the hub: an object with a text for each language."""

from collections.abc import Iterator, Mapping

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally


def recognises(fields: Fields) -> bool:
    """Return whether ``translation`` is an object."""
    return isinstance(fields.get("translation"), Mapping) and "source" not in fields


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the record with a field per language; the first two are the source and the target."""
    del task
    given = record.fields["translation"]
    if given.keys() == {"language", "translation"}:  # texts of variable languages on the hub
        given = dict(zip(given["language"], given["translation"], strict=True))
    texts = {name: text for name, text in given.items() if text is not None}
    if len(texts) < 2:
        raise UserError(f"The field 'translation' of {record.origin} has {len(texts)} languages: give at least two.")
    source, target = list(texts)[:2]
    tally.add(
        f"Texts are translated from {source} to {target}, in the order of their field 'translation'; choose others of "
        f"{', '.join(texts)} with task.source_field=… and task.target_field=…."
    )
    yield with_fields(record, **texts, source=texts[source], target=texts[target])


FORMAT = Format("translation", frozenset({"translation"}), recognises, convert)
