"""Checks records of relations: words or text, the entities in them, and the gold relations between these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.types import Document
from ctxlab.tasks.forms.mention_labels import KEPT_FIELDS
from ctxlab.tasks.records.fields import check_word_places, check_words, missing
from ctxlab.tasks.records.mentions import Answer, entities_of, listed, relations_of
from ctxlab.tasks.text.words import words_of
from ctxlab.text.units import joined, squeezed

TASK = "relation"


@dataclass(frozen=True, slots=True)
class RelationReader:
    """Reads the records of ``task=relation``, and what ``ctxlab predict`` writes with a run of ``task=ner``."""

    tokens_field: str = "tokens"
    entities_field: str = "entities"
    relations_field: str = "relations"
    text_field: str = "text"

    def read(self, record: Mapping[str, Any], origin: str, *, gold: bool, finds: bool) -> dict[str, Any]:
        """Return the fields of a document; ``entities`` is missing where they are to be found.

        Args:
            record: A raw record.
            origin: Its place, for messages.
            gold: Whether relations are needed, between the entities of the record.
            finds: Whether a run of ``task=ner`` finds the entities of records without any.

        Raises:
            UserError: A field is missing or not valid; names it.
        """
        record = {name: value for name, value in record.items() if value is not None}
        fields = self._words(record, origin, gold=gold)
        words = fields["tokens"]
        for name in KEPT_FIELDS:
            if name in record:
                fields[name] = check_word_places(record[name], name, len(words), origin)
        if self.entities_field in record:
            fields["entities"] = self._entities(record, words, origin, gold=gold)
        elif gold:
            raise missing(record, self.entities_field, origin=origin, task=TASK, option="task.entities_field")
        elif not finds:
            raise UserError(
                f"{origin} has no field '{self.entities_field}': give the entities of the document, name another field "
                "with task.entities_field=, or let a run find them with task.mentions=<run of task=ner>."
            )
        if gold:
            self._need(record, self.relations_field, origin, option="task.relations_field")
            fields["relations"] = relations_of(record, self.relations_field, len(fields["entities"]), origin)
        return fields

    def _words(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> dict[str, Any]:
        text = record.get(self.text_field)
        if not gold and self.tokens_field not in record and isinstance(text, str):
            words, offsets = words_of(text)
            check_words(words, origin)
            return {"tokens": words, "text": text, "offsets": offsets}
        self._need(record, self.tokens_field, origin, option="task.tokens_field")
        words = listed(record[self.tokens_field], self.tokens_field, origin)
        check_words(words, origin)
        return {"tokens": words}

    def _entities(
        self, record: Mapping[str, Any], words: Sequence[str], origin: str, *, gold: bool
    ) -> list[dict[str, Any]]:
        """Return the entities of a record; those of a run of ``task=ner`` have one mention each, and are merged."""
        given = listed(record[self.entities_field], self.entities_field, origin)
        apart = not gold and given and all(isinstance(one, Mapping) and _is_flat(one) for one in given)
        if apart:
            record = {self.entities_field: [{**one, "mentions": [[one["start"], one["end"]]]} for one in given]}
        found = entities_of(record, self.entities_field, len(words), origin)
        if not apart:
            return found
        return merged(words, [LabelledSpan(start, end, one["type"]) for one in found for start, end in one["mentions"]])

    def _need(self, record: Mapping[str, Any], field: str, origin: str, option: str) -> None:
        if field not in record:
            raise missing(record, field, origin=origin, task=TASK, option=option)


def _is_flat(entity: Mapping[str, Any]) -> bool:
    return "mentions" not in entity and {"start", "end"} <= entity.keys()


def merged(words: Sequence[str], spans: Sequence[LabelledSpan]) -> list[dict[str, Any]]:
    """Return entities with the mentions that have the same type and words, whatever their case, in order.

    Args:
        words: Words of the document.
        spans: Mentions that were found in it.
    """
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        name = squeezed(joined(words[span.start : span.end])[0].casefold())
        mentions = found.setdefault((span.label, name), [])
        if (span.start, span.end) not in mentions:
            mentions.append((span.start, span.end))
    return [{"type": kind, "mentions": mentions} for (kind, _), mentions in found.items()]


def relation_line(document: Document, answer: Answer) -> dict[str, Any]:
    """Return what ``ctxlab predict`` writes: words, entities with their names, relations by the indices of these."""
    called = [_name(document, entity["mentions"][0]) for entity in document.fields["entities"]]
    entities = [
        {"type": entity["type"], "name": name, "mentions": [list(span) for span in entity["mentions"]]}
        for entity, name in zip(document.fields["entities"], called, strict=True)
    ]
    relations = [
        {
            "head": head,
            "tail": tail,
            "label": label,
            "head_name": called[head],
            "tail_name": called[tail],
            "score": round(score, 4),
        }
        for (head, tail, label), score in zip(answer.relations, answer.scores, strict=True)
    ]
    words = list(document.fields["tokens"])
    return {"id": document.id, "tokens": words, "entities": entities, "relations": relations}


def _name(document: Document, span: Sequence[int]) -> str:
    """Return a mention as it is in the text, or its joined words."""
    start, end = span
    text = document.fields.get("text")
    if text is None:
        return joined(document.fields["tokens"][start:end])[0]
    offsets = document.fields["offsets"]
    return str(text[offsets[start][0] : offsets[end - 1][1]])


def check_known(documents: Sequence[Document], labels: Sequence[str], field: str, *, refuses: bool) -> int:
    """Count the gold relations whose label is none of ``labels``.

    Args:
        documents: With gold relations.
        labels: Labels that the model was trained with.
        field: Field of a record with its relations, for messages.
        refuses: Whether such a relation is an error.

    Raises:
        UserError: There is one; names it.
    """
    known, missed = set(labels), 0
    for document in documents:
        for index, (_, _, label) in enumerate(document.fields["relations"]):
            if label in known:
                continue
            if refuses:
                raise UserError(
                    f"The label '{label}' in the field '{field}[{index}]' of {document.origin} is not among those that "
                    f"the model was trained with ({_some(labels)}): count such relations as missed with "
                    "task.unknown_labels=miss, or list all with task.labels=[…] and train."
                )
            missed += 1
    return missed


def _some(labels: Sequence[str]) -> str:
    """Return the first few labels, for messages."""
    return ", ".join(labels[:8]) + (f" and {len(labels) - 8} more" if len(labels) > 8 else "")
