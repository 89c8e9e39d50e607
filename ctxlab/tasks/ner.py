"""Named entity recognition: one BIO tag per word of a whole document.

Shape legend: W tokens of a window, B windows of a batch, C tags.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Answered, Asked
from ctxlab.core.labelling import LabelForm
from ctxlab.core.shape import LabelledSpan
from ctxlab.core.task_hooks import Original
from ctxlab.core.types import Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.forms.explained import UNREAD, entity_target
from ctxlab.tasks.forms.token_labeller import WORDS, TokenLabeller
from ctxlab.tasks.labels.entities import EntityLabels
from ctxlab.tasks.records.bio import OUTSIDE, entity_types, from_scheme, is_tag, repair, spans, tag_set
from ctxlab.tasks.records.character_spans import SpanNotes, checked_offsets, checked_spans, tagged_words
from ctxlab.tasks.records.label_map import LabelMap
from ctxlab.tasks.records.mention_dictionary import learn_mentions
from ctxlab.text.units import joined


class NER(TokenLabeller):
    """Named entity recognition over words, with the tag on a word's first sub-token.

    ``outside_weight`` is the weight of words outside entities in the loss; at 0 only entities count.
    """

    name = "ner"
    explains = True
    record_fields = (("tokens", "tags"), ("text", "spans"), ("text", "entities"), ("data", "annotations"))
    metric = "entities"
    label_word = "entity type"
    primary_metric = "f1"
    shape = replace(WORDS, typed=True)

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        tokens_field: str = "tokens",
        tags_field: str = "tags",
        text_field: str = "text",
        outside_weight: float = 1.0,
        language: str | None = None,
        label_map: Mapping[str, str] | None = None,
        numbers_field: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            labels: Entity types; None learns them from the training documents.
            tokens_field: Field of a record with its words.
            tags_field: Field with one BIO tag per word.
            text_field: Field with plain text, for prediction.
            outside_weight: Weight of words outside entities in the loss, 0 or more; at 0 only entities count.
            language: Two-letter code for language-specific rules; None guesses from the script.
            label_map: Entity types in the records that stand for others; None for none.
            numbers_field: Field with the numbers of each word, such as its box on the page; None reads none.
        """
        if outside_weight < 0:
            raise UserError(f"task.outside_weight={outside_weight} is negative: give 0 or more.")
        tags = None if labels is None else tag_set(_checked_types(labels))
        super().__init__(
            tags,
            tokens_field=tokens_field,
            tags_field=tags_field,
            text_field=text_field,
            language=language,
            numbers_field=numbers_field,
        )
        self._outside_weight = outside_weight
        self._repaired_tags = self._repaired_documents = 0
        self._repair_note = ""
        self._span_notes = SpanNotes()
        self._label_map = LabelMap(label_map)

    @property
    def gold_fields(self) -> Sequence[str]:
        """Return the fields with tags or with character spans."""
        return (self._tags_field, "spans")

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return all records or, where tags are needed, those that are annotated (``spans`` is not null)."""
        kept = [r for r in records if not gold or "spans" not in r.fields or r.fields["spans"] is not None]
        if records and not kept:
            raise UserError(f"No text from {records[0].origin} on has an annotation ('spans' is null): annotate some.")
        if len(kept) < len(records):
            self.notes.append(f"{len(records) - len(kept):,} texts have no annotation and were left out.")
        return kept

    def words(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> dict[str, Any]:
        """Return the words of a record, with tags for a text whose entities are character spans (``spans``)."""
        if self._tokens_field not in record and self._is_marked(record):
            return self._from_spans(record, origin, gold=gold)
        return super().words(record, origin, gold=gold)

    def _is_marked(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is a text whose entities are character spans (``spans``)."""
        return isinstance(record.get(self._text_field), str) and isinstance(record.get("spans"), list)

    def _from_spans(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> dict[str, Any]:
        text = record[self._text_field]
        given = checked_spans(record["spans"], "spans", text, origin) if gold else []
        found = tagged_words(text, given, checked_offsets(record.get("offsets"), "offsets", text, origin))
        self._span_notes.add(found, self.notes)
        words = {"tokens": found.words, "offsets": found.offsets, "text": text}
        return {**words, "tags": [self._mapped(tag) for tag in found.tags]} if gold else words

    def read_tags(self, tags: Sequence[Any], fields: Mapping[str, Any], origin: str) -> list[str]:
        """Return BIO tags, converted from other schemes; an invalid order is repaired and counted in ``notes``."""
        if all(isinstance(tag, str) for tag in tags):
            tags, scheme = from_scheme(tags)
            note = f"Tags are written as {scheme} and were read as BIO, with the same entities."
            if scheme and note not in self.notes:
                self.notes.append(note)
        for index, tag in enumerate(tags):
            if not isinstance(tag, str) or not is_tag(tag):
                raise UserError(
                    f"The tag {tag!r} of word {index} ({fields['tokens'][index]!r}) of {origin} is not BIO: "
                    "write O, B-<type> or I-<type> (BMES, BIOES and BILOU are read too)."
                )
        repaired, changed = repair([self._mapped(tag) for tag in tags], fields.get("sentence_starts", ()))
        if changed:
            self._note_repairs(changed)
        return repaired

    def _mapped(self, tag: str) -> str:
        """Return a tag with the entity type that ``label_map`` gives for its own."""
        return tag if tag == OUTSIDE else f"{tag[:2]}{self._label_map(tag[2:])}"

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Raise UserError where a gold label, or one of ``label_map``, has no output of the model."""
        self._label_map.check(self.label_names(self.labels))
        super().check_labels(documents)

    def _note_repairs(self, changed: int) -> None:
        self._repaired_tags += changed
        self._repaired_documents += 1
        if self._repair_note in self.notes:
            self.notes.remove(self._repair_note)
        self._repair_note = (
            f"{self._repaired_tags} I- tags in {self._repaired_documents} documents continued no entity of their type "
            "and were read as B-, as conlleval does."
        )
        self.notes.append(self._repair_note)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the tags from the training documents, unless ``labels`` were given.

        Raises:
            UserError: The training documents have no entity.
        """
        if self.labels:
            return
        types = {name for document in documents for name in entity_types(document.fields["tags"])}
        if not types:
            raise UserError(
                f"The {len(documents)} training documents have no entity (every tag is O): check '{self._tags_field}'."
            )
        self.labels = tag_set(sorted(types))

    def labelled_spans(self, document: Document) -> list[LabelledSpan]:
        """Return the entities, which ``spans`` reads from the tags."""
        return [LabelledSpan(span.start, span.end, span.type) for span in spans(document.fields.get("tags", ()))]

    def take_labels(self, names: Sequence[str]) -> None:
        """Adopt the model's tags with O first, which is the tag of unseen words."""
        wrong = next((name for name in names if not is_tag(name)), None)
        if self.labels:
            return
        if wrong is not None or OUTSIDE not in names:
            raise UserError(
                f"The model gives the labels {', '.join(names[:8])}, which are not BIO tags "
                f"({'there is no O' if wrong is None else repr(wrong)}): use another model, or train this one first."
            )
        self.labels = [OUTSIDE, *(name for name in names if name != OUTSIDE)]

    def label_names(self, labels: Collection[str]) -> set[str]:
        """Return the entity types of BIO tags, as ``task.labels`` lists them."""
        return entity_types(labels)

    def weights(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return (C,) for outputs (B, W, C): the first tag, of words outside entities, has ``outside_weight``."""
        weights = super().weights(outputs)
        weights[0] = self._outside_weight
        return weights

    def has_loss(self, labels: IntArray) -> bool:
        """Whether the window has a labelled word or, where outside words have weight 0, a word within an entity."""
        return bool((labels > 0).any()) if self._outside_weight == 0 else super().has_loss(labels)

    def label_form(self) -> LabelForm:
        """Return entities, each with its confidence."""
        return EntityLabels(sorted(entity_types(self.labels)), self._tokens_field, self._tags_field)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the best tag at each word's first sub-token, ``O`` for unseen words, in valid BIO order."""
        prediction = super().decode(document, encoded, merged)
        tags, _ = repair([tag or OUTSIDE for tag in prediction.answer])
        return replace(prediction, answer=tags)

    def baselines(self, training: Sequence[Document], documents: Sequence[Document]) -> dict[str, list[Prediction]]:
        """Return the tags by a dictionary of the mentions in the training documents."""
        found = learn_mentions((one.fields["tokens"], one.fields["tags"]) for one in training)
        return {
            "mentions of the training documents": [
                Prediction(one.id, found.tags(one.fields["tokens"]), [True] * len(one.fields["tokens"]))
                for one in documents
            ]
        }

    def relocated(self, line: dict[str, Any], document: Document, original: Original) -> dict[str, Any]:
        """Return a line whose entities are at their characters of the original text, or of its joined words."""
        field = self._text_field if document.fields.get("text") is not None else self._tokens_field
        for entity in line["entities"]:
            found = original(field, entity["start_char"], entity["end_char"])
            entity["start_char"], entity["end_char"] = found
        return line

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return words, tags, and entities by words and by characters.

        Characters are counted in the original text, or in the joined words (``ctxlab.text.units.joined``).
        """
        text, offsets = _text(document)
        entities = []
        for span in spans(prediction.answer):
            start, end = offsets[span.start][0], offsets[span.end - 1][1]
            entities.append(
                {
                    "type": span.type,
                    "start": span.start,
                    "end": span.end,
                    "start_char": start,
                    "end_char": end,
                    "text": text[start:end],
                }
            )
        return super().record(document, prediction) | {"entities": entities}

    def explained(self, document: Document, answered: Answered) -> Asked:
        """Return each predicted entity, with the sentence that determines its type where the record names it."""
        text, offsets = _text(document)
        tags = answered.prediction.answer
        targets = [
            entity_target(document, answered.encoded, span, tags=tags, labels=self.labels) for span in spans(tags)
        ]
        nothing = "" if targets else "No entity was found." if answered.merged.seen.any() else UNREAD
        return Asked(text, offsets, targets, nothing)


def _text(document: Document) -> tuple[str, Sequence[Sequence[int]]]:
    """Return the original text, or else the joined words, and the characters of each word in it."""
    text, offsets = document.fields.get("text"), document.fields.get("offsets")
    return joined(document.fields["tokens"]) if text is None or not offsets else (text, offsets)


def _checked_types(labels: Sequence[str]) -> list[str]:
    types = list(labels)
    for name in types:
        if not isinstance(name, str) or not name or name == OUTSIDE or name[:2] in ("B-", "I-"):
            raise UserError(f"task.labels has {name!r}: list entity types without prefix, such as [PER, ORG].")
    if not types or len(set(types)) != len(types):
        raise UserError(f"task.labels={types} is empty or repeats a type: list each entity type once.")
    return types
