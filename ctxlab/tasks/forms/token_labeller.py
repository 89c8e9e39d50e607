"""Shared base of tasks that predict one label per word of a whole document.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, C labels.
"""

from abc import ABC
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError
from ctxlab.core.shape import Shape
from ctxlab.core.task import LABELS, Loss, Predicted
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Opinion, Prediction
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.combine import softmax
from ctxlab.tasks.records.evidence import evidence_field
from ctxlab.tasks.records.fields import check_word_places, check_words, kind, missing
from ctxlab.tasks.records.word_numbers import numbers_field, word_numbers
from ctxlab.tasks.text.subwords import Subwords, frame, needs_leading_space, split_words
from ctxlab.tasks.text.words import words_of
from ctxlab.text.language import checked

WORD_PLACES = ("sentence_starts", "global_words")
"""Fields of a record with indices of words, which are passed on to strategies."""

WORDS = Shape(
    "tokens",
    tags="tags",
    sentences="sentence_starts",
    starts=("global_words",),
    spans=("probes",),
    derived=("text", "offsets"),
)
"""Where a document of tagged words has its text."""

LEAST_PROBABILITY = 1e-300
"""Probability whose logarithm stands for those below it."""

NOT_SEEN = ""
"""Answer for an unseen word: it equals no gold label, so that the word counts as missed."""


class TokenLabeller(BaseTask, ABC):
    """Base of tasks whose records have one label per word, which is the label of the word's first sub-token.

    A subclass sets ``name``, ``metric`` and ``primary_metric``, and overrides methods only where it differs.
    """

    streams = True
    head = "token_classification"
    predicts = LABELS
    by_token = True
    shape: Shape | None = WORDS
    labels_words = True
    takes_numbers = True
    label_word = "tag"
    """What messages call a label."""

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        tokens_field: str = "tokens",
        tags_field: str = "tags",
        text_field: str = "text",
        language: str | None = None,
        numbers_field: str | None = None,
    ) -> None:
        """Store the options of ``conf/task/<name>.yaml``.

        Args:
            labels: All labels that the model can predict; None learns them from the training documents.
            tokens_field: Field of a record with its words.
            tags_field: Field with one label per word.
            text_field: Field with plain text, which is split into words for prediction.
            language: Language of the documents, such as ``de``; None guesses it from their script.
            numbers_field: Field with the numbers of each word, such as its box on the page; None reads none.
        """
        super().__init__(list(labels or []))
        self.language = checked(language)
        self._tokens_field, self._tags_field, self._text_field = tokens_field, tags_field, text_field
        self.numbers_field = numbers_field
        if numbers_field is not None:
            self.shape = None  # what changes words does not know what becomes of their numbers

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check words and labels of a record.

        With ``gold=False`` no labels are needed, and ``text`` is split into words where there are no tokens.
        """
        fields: dict[str, Any] = {name: record[name] for name in WORD_PLACES if record.get(name) is not None}
        fields |= self.words(record, origin, gold=gold)
        check_words(fields["tokens"], origin)
        if self.numbers_field is not None:
            rows = numbers_field(record, self.numbers_field, origin, self.name)
            fields["numbers"] = word_numbers(
                rows, len(fields["tokens"]), wanted=self.numbers, field=self.numbers_field, origin=origin
            )
        for name in WORD_PLACES:
            if name in fields:
                fields[name] = check_word_places(fields[name], name, len(fields["tokens"]), origin)
        fields |= evidence_field(record, len(fields["tokens"]), origin, needs=("start", "distance"), unit="words")
        if gold and "tags" not in fields:
            tags = self._list(record, self._tags_field, origin, gold=True)
            if len(tags) != len(fields["tokens"]):
                raise UserError(
                    f"{origin} has {len(fields['tokens'])} in '{self._tokens_field}' and {len(tags)} in "
                    f"'{self._tags_field}': give one tag per word."
                )
            fields["tags"] = self.read_tags(tags, fields, origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def words(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> dict[str, Any]:
        """Return the field ``tokens``, and for plain text also ``text`` and ``offsets`` (characters of each word).

        A task that reads other forms of records overrides this; it may return ``tags``, too.
        """
        text = record.get(self._text_field)
        if not gold and self._tokens_field not in record and isinstance(text, str):
            words, offsets = words_of(text)
            return {"tokens": words, "offsets": offsets, "text": text}
        return {"tokens": self._list(record, self._tokens_field, origin, gold)}

    def read_tags(self, tags: Sequence[Any], fields: Mapping[str, Any], origin: str) -> list[str]:
        """Check and convert the labels of a record's words.

        Args:
            tags: Labels in the record, one per word.
            fields: Fields of the document so far, including ``tokens``.
            origin: Place of the record, for messages.

        Raises:
            UserError: One of them is not a label.
        """
        for index, tag in enumerate(tags):
            if not isinstance(tag, str) or not tag:
                raise UserError(
                    f"The tag {tag!r} of word {index} ({fields['tokens'][index]!r}) of {origin} is not a label: "
                    "write a name for every word."
                )
        return list(tags)

    def _list(self, record: Mapping[str, Any], name: str, origin: str, gold: bool) -> list[Any]:
        if name not in record:
            option = {self._tokens_field: "task.tokens_field", self._tags_field: "task.tags_field"}[name]
            also = "" if gold else f" (or a text in '{self._text_field}')"
            raise missing(record, name, origin=origin, task=self.name, option=option, also=also)
        value = record[name]
        if not isinstance(value, list | tuple | np.ndarray):
            raise UserError(f"The field '{name}' of {origin} is {kind(value)}: give a list with one entry per word.")
        return list(value)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the labels from the training documents, unless ``labels`` were given."""
        self.labels = self.labels or sorted({tag for document in documents for tag in document.fields["tags"]})

    def label_names(self, labels: Collection[str]) -> set[str]:
        """Return the names under which a user lists ``labels`` in ``task.labels``."""
        return set(labels)

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Raise UserError where a gold label has no output of the model."""
        known = self.label_names(self.labels)
        for document in documents:
            for name in sorted(self.label_names(document.fields.get("tags", ())) - known):
                listed = ",".join(sorted({*known, name}))
                raise UserError(
                    f"The {self.label_word} '{name}' of {document.origin} is not among those that the model was "
                    f"trained with ({', '.join(sorted(known))}): train with task.labels=[{listed}], or remove it from "
                    "the file."
                )

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return what the marks of words depend on."""
        return () if self.mark is None else (self.mark.key,)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids; a word's tag is the label of its first sub-token."""
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
            if self.mark is not None:
                known = self.mark(document.fields["tokens"])[subwords.word_ids]
                marks = marks | known if len(marks) else known
            numbers = {"numbers": document.fields["numbers"][subwords.word_ids]} if "numbers" in document.fields else {}
            encoded.append(
                Encoded(
                    subwords.input_ids,
                    subwords.word_ids,
                    labels=labels,
                    before=before,
                    after=after,
                    marks=marks,
                    **numbers,
                )
            )
        if replaced:
            self.notes.append(
                f"The tokenizer returns no tokens for {replaced} words (the first is {example}): "
                "each is replaced by its unknown token."
            )
        return encoded

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the cross entropy summed over labelled tokens, in fp32; outputs (B, W, C), labels (B, W)."""
        weights = self.weights(outputs)
        total = F.cross_entropy(
            outputs.float().flatten(0, 1), labels.flatten(), weight=weights, ignore_index=NO_LABEL, reduction="sum"
        )
        return Loss(total, weights[labels[labels != NO_LABEL]].sum())

    def predicted(self, outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
        """Return the distribution of each labelled token, in fp32; outputs (B, W, C), labels (B, W)."""
        known = labels != NO_LABEL
        gold = labels[known]
        return Predicted(outputs[known].float(), gold, self.weights(outputs)[gold])

    def weights(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return (C,) weight of each label in the loss, on the device of outputs (B, W, C); equal by default."""
        return torch.ones(outputs.shape[-1], device=outputs.device)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the label that ``choose`` chooses at each word's first sub-token, ``NOT_SEEN`` for unseen words."""
        first = _first(encoded)
        seen = merged.seen[first].tolist()
        chosen = self.choose(merged.outputs[first], merged.seen[first])
        tags = [self.labels[index] if saw else NOT_SEEN for index, saw in zip(chosen.labels, seen, strict=True)]
        return Prediction(document.id, tags, seen, counts=chosen.counts)

    def opinion(self, document: Document, encoded: Encoded, merged: Merged) -> Opinion:
        """Return the probabilities (words, C) of each word's labels, whatever tokens the word consists of."""
        del document
        first = _first(encoded)
        return Opinion(softmax(merged.outputs[first]), merged.seen[first], tuple(self.labels))

    def decide(self, document: Document, encoded: Encoded, merged: Merged, opinion: Opinion) -> Prediction:
        """Return the answer of ``decode`` where the labels of words have the probabilities of ``opinion``."""
        first = _first(encoded)
        # Logarithms, as outputs are; in double precision, labels that differ by a rounding of fp32 keep their order.
        outputs: Any = np.zeros((len(encoded), len(self.labels)))
        seen = np.zeros(len(encoded), np.bool_)
        outputs[first] = np.log(np.maximum(np.asarray(opinion.probabilities, np.float64), LEAST_PROBABILITY))
        seen[first] = opinion.seen
        return self.decode(document, encoded, replace(merged, outputs=outputs, seen=seen))

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return words and labels."""
        return {"id": document.id, "tokens": list(document.fields["tokens"]), "tags": list(prediction.answer)}


def _first(encoded: Encoded) -> IntArray:
    """Return the index of each word's first sub-token."""
    return np.flatnonzero(np.diff(encoded.word_ids, prepend=-1))


def _labels(subwords: Subwords, tags: Sequence[str] | None, label_ids: Mapping[str, int]) -> IntArray:
    labels = np.full(len(subwords.input_ids), NO_LABEL, dtype=np.int64)
    if tags is not None:
        labels[subwords.first()] = [label_ids[tag] for tag in tags]
    return labels
