"""Named entities: every word of a whole document gets a BIO tag.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, C tags.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.records.bio import OUTSIDE, entity_types, from_scheme, is_tag, repair, spans, tag_set
from ctxlab.tasks.records.fields import check_word_places, check_words, kind, lookalike, nearest
from ctxlab.tasks.records.stretches import StretchNotes, checked_offsets, checked_stretches, tagged_words
from ctxlab.tasks.text.subwords import Subwords, frame, needs_leading_space, split_words
from ctxlab.tasks.text.words import words_of
from ctxlab.text.language import checked
from ctxlab.text.units import joined

KEPT_FIELDS = ("sentence_starts", "global_words", "probes")
"""Fields of a record that pass through to strategies and scores."""

WORD_PLACES = ("sentence_starts", "global_words")
"""Those that name words by their places."""


class NER(BaseTask):
    """Named entity recognition over words, with the tag on a word's first sub-token.

    ``outside_weight`` weighs words outside entities in the loss; at 0 only entities count.
    """

    name = "ner"
    head = "token_classification"
    metric = "entities"
    primary_metric = "f1"

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        tokens_field: str = "tokens",
        tags_field: str = "tags",
        text_field: str = "text",
        outside_weight: float = 1.0,
        language: str | None = None,
    ) -> None:
        if outside_weight < 0:
            raise UserError(f"task.outside_weight={outside_weight} is negative: give 0 or more.")
        super().__init__([] if labels is None else tag_set(_checked_types(labels)))
        self.language = checked(language)
        self._tokens_field, self._tags_field, self._text_field = tokens_field, tags_field, text_field
        self._outside_weight = outside_weight
        self._repaired_tags = self._repaired_documents = 0
        self._repair_note = ""
        self._stretches = StretchNotes()

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Where tags are needed, all but texts that nobody has annotated (``spans`` is null)."""
        kept = [r for r in records if not gold or "spans" not in r.fields or r.fields["spans"] is not None]
        if records and not kept:
            raise UserError(f"No text from {records[0].origin} on has an annotation ('spans' is null): annotate some.")
        if len(kept) < len(records):
            self.notes.append(f"{len(records) - len(kept):,} texts have no annotation and were left out.")
        return kept

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Words and tags of a record, checked; invalid BIO order is repaired and counted in ``notes``.

        With ``gold=False`` no tags are needed, and ``text`` is split into words where there are no tokens.
        """
        fields: dict[str, Any] = {name: record[name] for name in KEPT_FIELDS if record.get(name) is not None}
        if self._tokens_field not in record and self._is_marked(record):
            fields |= self._from_stretches(record, origin, gold=gold)
        elif not gold and self._tokens_field not in record and isinstance(record.get(self._text_field), str):
            text = record[self._text_field]
            words, offsets = words_of(text)
            fields |= {"tokens": words, "offsets": offsets, "text": text}
        else:
            fields["tokens"] = self._list(record, self._tokens_field, origin, gold)
        check_words(fields["tokens"], origin)
        for name in WORD_PLACES:
            if name in fields:
                fields[name] = check_word_places(fields[name], name, len(fields["tokens"]), origin)
        if gold and "tags" not in fields:
            fields["tags"] = self._tags(record, fields["tokens"], fields.get("sentence_starts", ()), origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def _is_marked(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is a text with its entities by characters (``spans``)."""
        return isinstance(record.get(self._text_field), str) and isinstance(record.get("spans"), list)

    def _from_stretches(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> dict[str, Any]:
        text = record[self._text_field]
        given = checked_stretches(record["spans"], "spans", text, origin) if gold else []
        found = tagged_words(text, given, checked_offsets(record.get("offsets"), "offsets", text, origin))
        self._stretches.add(found, self.notes)
        words = {"tokens": found.words, "offsets": found.offsets, "text": text}
        return {**words, "tags": found.tags} if gold else words

    def _list(self, record: Mapping[str, Any], name: str, origin: str, gold: bool) -> list[Any]:
        if name not in record:
            raise UserError(self._missing(record, name, origin, gold))
        value = record[name]
        if not isinstance(value, list | tuple | np.ndarray):
            raise UserError(f"The field '{name}' of {origin} is {kind(value)}: give a list with one entry a word.")
        return list(value)

    def _missing(self, record: Mapping[str, Any], name: str, origin: str, gold: bool) -> str:
        present = [field for field in record if field != "id"]
        other = lookalike(record, self.name)
        if other:
            return f"{origin} has no field '{name}'; it looks like a record for task={other}: use a file for task=ner."
        option = {self._tokens_field: "tokens_field", self._tags_field: "tags_field"}[name]
        text = "" if gold else f" (or a text in '{self._text_field}')"
        return (
            f"{origin} has no field '{name}'{text}, only {', '.join(present) or 'an id'}: "
            f"name the right one with task.{option}={nearest(record, name)}."
        )

    def _tags(
        self, record: Mapping[str, Any], tokens: Sequence[str], sentence_starts: Sequence[int], origin: str
    ) -> list[str]:
        tags = self._list(record, self._tags_field, origin, gold=True)
        if len(tags) != len(tokens):
            raise UserError(
                f"{origin} has {len(tokens)} in '{self._tokens_field}' and {len(tags)} in '{self._tags_field}': "
                "give one tag a word."
            )
        if all(isinstance(tag, str) for tag in tags):
            tags, scheme = from_scheme(tags)
            note = f"Tags are written as {scheme} and were read as BIO, with the same entities."
            if scheme and note not in self.notes:
                self.notes.append(note)
        for index, tag in enumerate(tags):
            if not isinstance(tag, str) or not is_tag(tag):
                raise UserError(
                    f"The tag {tag!r} of word {index} ({tokens[index]!r}) of {origin} is not BIO: "
                    "write O, B-<type> or I-<type> (BMES, BIOES and BILOU are read too)."
                )
        repaired, changed = repair(tags, sentence_starts)
        if changed:
            self._note_repairs(changed)
        return repaired

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
            UserError: There is no entity to learn from.
        """
        if self.labels:
            return
        types = set().union(*(entity_types(document.fields["tags"]) for document in documents))
        if not types:
            raise UserError(
                f"The {len(documents)} training documents have no entity (every tag is O): check '{self._tags_field}'."
            )
        self.labels = tag_set(sorted(types))

    def take_labels(self, names: Sequence[str]) -> None:
        """The model's tags, O first, as that stands for words that were not seen."""
        wrong = next((name for name in names if not is_tag(name)), None)
        if self.labels:
            return
        if wrong is not None or OUTSIDE not in names:
            raise UserError(
                f"The model gives the labels {', '.join(names[:8])}, which are not BIO tags "
                f"({'there is no O' if wrong is None else repr(wrong)}): use another model, or train this one first."
            )
        self.labels = [OUTSIDE, *(name for name in names if name != OUTSIDE)]

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Refuse entity types that the model has no output for."""
        known = entity_types(self.labels)
        for document in documents:
            for name in sorted(entity_types(document.fields.get("tags", ())) - known):
                raise UserError(
                    f"The entity type '{name}' of {document.origin} is none that the model has from training "
                    f"({', '.join(sorted(known))}): train with task.labels=[{','.join(sorted({*known, name}))}], "
                    "or take it out of the file."
                )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Whole documents as token ids; a word's tag is the label of its first sub-token."""
        before, after = frame(tokenizer)
        leading_space = needs_leading_space(tokenizer)
        label_ids = {label: index for index, label in enumerate(self.labels)}
        encoded, replaced, example = [], 0, ""
        for document in documents:
            subwords = split_words(tokenizer, document.fields["tokens"], leading_space=leading_space)
            if subwords.replaced and not replaced:
                example = f"{document.fields['tokens'][subwords.replaced[0]]!r} in {document.origin}"
            replaced += len(subwords.replaced)
            labels = _labels(subwords, document.fields.get("tags"), label_ids)
            marks = subwords.marks(document.fields.get("sentence_starts", ()), document.fields.get("global_words", ()))
            encoded.append(Encoded(subwords.input_ids, subwords.word_ids, labels, before, after, marks=marks))
        if replaced:
            self.notes.append(
                f"The tokenizer leaves nothing of {replaced} words (the first is {example}): "
                "its unknown token stands in for each."
            )
        return encoded

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Cross entropy summed over labelled tokens, in fp32; outputs (B, W, C), labels (B, W)."""
        weights = torch.ones(outputs.shape[-1], device=outputs.device)
        weights[0] = self._outside_weight
        total = F.cross_entropy(
            outputs.float().flatten(0, 1), labels.flatten(), weight=weights, ignore_index=NO_LABEL, reduction="sum"
        )
        return Loss(total, weights[labels[labels != NO_LABEL]].sum())

    def has_loss(self, labels: IntArray) -> bool:
        """Any word, or any within an entity where the others do not count."""
        return bool((labels > 0).any()) if self._outside_weight == 0 else super().has_loss(labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The best tag at each word's first sub-token, ``O`` where it was not seen, in valid BIO order."""
        first = np.flatnonzero(np.diff(encoded.word_ids, prepend=-1))
        seen = merged.seen[first]
        best = np.where(seen, merged.outputs[first].argmax(axis=-1), 0)
        tags, _ = repair([self.labels[index] for index in best])
        return Prediction(document.id, tags, seen.tolist())

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Words, tags, and entities by words and by characters.

        Characters count in the text as it was given, or in the words as running text (``ctxlab.text.units.joined``).
        """
        tokens = document.fields["tokens"]
        text, offsets = document.fields.get("text"), document.fields.get("offsets")
        if text is None or not offsets:
            text, offsets = joined(tokens)
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
        return {"id": document.id, "tokens": list(tokens), "tags": list(prediction.answer), "entities": entities}


def _labels(subwords: Subwords, tags: Sequence[str] | None, label_ids: Mapping[str, int]) -> IntArray:
    labels = np.full(len(subwords.input_ids), NO_LABEL, dtype=np.int64)
    if tags is not None:
        labels[subwords.first()] = [label_ids[tag] for tag in tags]
    return labels


def _checked_types(labels: Sequence[str]) -> list[str]:
    types = list(labels)
    for name in types:
        if not isinstance(name, str) or not name or name == OUTSIDE or name[:2] in ("B-", "I-"):
            raise UserError(f"task.labels has {name!r}: list entity types without prefix, such as [PER, ORG].")
    if not types or len(set(types)) != len(types):
        raise UserError(f"task.labels={types} is empty or repeats a type: list each entity type once.")
    return types
