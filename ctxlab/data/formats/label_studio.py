"""Label Studio's JSON export: tasks with annotated spans or choices; also its JSON-MIN format."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.data.formats.base import Fields, Format, is_list_of
from ctxlab.data.readers.tally import Tally


def recognises(fields: Fields) -> bool:
    """Return whether there are ``data`` and ``annotations`` (or ``completions``), or JSON-MIN's spans or choices."""
    return is_task(fields) or _min_key(fields) is not None or _chosen(fields) is not None


def is_task(fields: Fields) -> bool:
    """Return whether a record has a text in ``data``, and annotations."""
    return isinstance(fields.get("data"), Mapping) and bool(
        fields.keys() & {"annotations", "completions", "predictions"}
    )


def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
    """Yield the text with ``spans`` (task=ner) or ``label`` and ``labels`` (task=classification).

    Of several annotations the first one that was not cancelled is used, preferably a ground truth. A text without
    annotations has no gold.
    """
    del tally
    fields = record.fields
    name = {} if fields.get("id") is None else {"id": fields["id"]}
    key = _min_key(fields)
    if key is not None:
        yield Record({**name, "text": fields["text"], "spans": [span_of(one) for one in fields[key]]}, record.origin)
        return
    choices = _chosen(fields)
    if choices is not None:
        yield Record({**name, "text": fields["text"], "label": choices[0], "labels": choices}, record.origin)
        return
    found: dict[str, Any] = {**name, "text": text_of(fields["data"], record.origin)}
    results = results_of(fields)
    if results is None:
        found |= {"spans": None, "label": None, "labels": None}
    elif task == "ner":
        found["spans"] = [span_of(one["value"]) for one in results if "start" in (one.get("value") or {})]
    else:
        choices = [choice for one in results for choice in (one.get("value") or {}).get("choices") or ()]
        found |= {"label": choices[0] if choices else None, "labels": choices}
    yield Record(found, record.origin)


def _min_key(fields: Fields) -> str | None:
    """Return the name of JSON-MIN's field of spans."""
    if not isinstance(fields.get("text"), str):
        return None
    return next((key for key, value in fields.items() if is_list_of(value, "start", "end", "labels")), None)


def _chosen(fields: Fields) -> list[str] | None:
    """Return JSON-MIN's choices, where several could be chosen; a single one is a text named by the question."""
    if not isinstance(fields.get("text"), str):
        return None
    values = (value.get("choices") for value in fields.values() if isinstance(value, Mapping))
    return next((list(one) for one in values if isinstance(one, list) and one), None)


def text_of(data: Mapping[str, Any], origin: str) -> str:
    """Return the annotated text of a task; raises UserError if several may be meant."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    if "text" in texts or len(texts) == 1:
        return texts.get("text", next(iter(texts.values())))
    raise UserError(
        f"The field 'data' of {origin} has {len(texts)} texts ({', '.join(texts) or 'none'}) and none is called "
        "'text': keep the one that was annotated."
    )


def results_of(fields: Fields) -> Sequence[Mapping[str, Any]] | None:
    """Return what the best annotation of a task says; None where nobody annotated it."""
    given = fields.get("annotations") or fields.get("completions") or []
    valid = [one for one in given if isinstance(one, Mapping) and not one.get("was_cancelled")]
    best = next((one for one in valid if one.get("ground_truth")), valid[0] if valid else None)
    return None if best is None else list(best.get("result") or ())


def span_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the characters and the first label of a marked span."""
    names = value.get("labels") or value.get("hypertextlabels") or [None]
    return {"start": value["start"], "end": value["end"], "label": names[0]}


FORMAT = Format("Label Studio", frozenset({"ner", "classification"}), recognises, convert)
