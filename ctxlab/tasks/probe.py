"""Probes: one question about a text that was written to ask it, at a known length and depth."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.core.types import Document, Encoded, Merged, Prediction
from ctxlab.tasks.forms import marking
from ctxlab.tasks.forms.document_classifier import Framing, Verdict, Whole
from ctxlab.tasks.records.labels import sorted_labels
from ctxlab.tasks.records.probes import BETWEEN, Reply, probe_fields, spans_seen
from ctxlab.tasks.text.encoding import query_of
from ctxlab.tasks.text.pairs import pair_frame
from ctxlab.tasks.written.probe import WrittenProbe
from ctxlab.tasks.written.prompts import Prompt
from ctxlab.text.language import checked
from ctxlab.text.units import find_words

FORMS = ("classification", "marking")


class Probe(Whole):
    """The question stands in front of every window of the text, and the answer is chosen or marked.

    - ``classification``: one of a closed list of answers, as in every task with one answer a document.
    - ``marking``: the words of the text with the best scores, as many as are asked for.

    Models that write do it in the form of ``WrittenProbe``.

    A record has ``text``, ``question`` and ``answers``; ``spans`` (characters of the answers, or of what tells them),
    ``choices`` (the closed list), ``all`` (whether every answer is wanted, or any will do), ``length`` and ``depth``
    where they are known.
    """

    name = "probe"
    kinds = frozenset({"encoder"})
    metric = "probe"

    def __init__(
        self,
        form: str = "classification",
        labels: Sequence[str | int] | None = None,
        text_field: str = "text",
        combine: str = "attention",
        instruction: str = "",
        cue: str = "Answer:",
        shots: int = 0,
        example_words: int = 120,
        decoding: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> None:
        if form not in FORMS:
            raise UserError(f"task.form={form} is not known: use {' or '.join(FORMS)}.")
        super().__init__(labels, "answers", combine, several=False)
        self.language = checked(language)
        self.primary_metric, self._form = "recall", form
        self._marks, self._text_field = form == "marking", text_field
        if self._marks:
            self.head = "token_classification"
        self._prompt, self._decoding = Prompt(instruction, cue, shots, example_words), decoding

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """The form that it is answered in."""
        return (self._form,)

    def form(self, kind: str) -> Any:
        """Itself for encoders, which choose or mark; others write the answer.

        Raises:
            UserError: Solved examples for an encoder.
        """
        if kind != "encoder":
            return WrittenProbe(self._decoding, self._prompt, self._text_field).form(kind)
        if self._prompt.shots:
            raise UserError(
                f"task.shots={self._prompt.shots}: a model of kind encoder is shown no solved examples: use "
                "task.shots=0 and train it, or a decoder such as model=smollm2."
            )
        return self

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Text, question and answers of a record, checked; with ``gold=False`` text and question are enough."""
        fields = probe_fields(record, self._text_field, origin, gold=gold)
        if gold:
            fields |= self._marked(fields, origin) if self._marks else self._chosen(fields, origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def _marked(self, fields: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Where the answers stand, found again where the record does not say."""
        if fields["spans"]:
            return {}
        spans: list[list[int]] = []
        for answer in fields["answers"]:
            places = [list(span) for span in find_words(fields["text"], answer)]
            if not places:
                raise UserError(
                    f"The answer {answer!r} of {origin} is not in its text, so that it cannot be marked: "
                    "use task.form=classification."
                )
            spans += places
        return {"spans": spans}

    def _chosen(self, fields: Mapping[str, Any], origin: str) -> dict[str, Any]:
        if len(fields["answers"]) != 1:
            raise UserError(
                f"{origin} has {len(fields['answers'])} answers, and one is chosen with task.form=classification: "
                "use task.form=marking."
            )
        return {"gold": self.gold({"answers": fields["answers"][0]}, origin)}

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """The closed list of the documents, or the answers that they have."""
        if self._marks:
            self.labels = ["answer"]
        elif not self.labels:
            known = {choice for document in documents for choice in document.fields["choices"]}
            if known:
                self.labels = sorted_labels(known)
            super().learn_labels(documents)

    def prepare(self, tokenizer: Any) -> None:
        """Refuse a tokenizer that puts nothing in front of a text, as marks need a place for "not here"."""
        if self._marks and not pair_frame(tokenizer).before:
            raise UserError(
                f"{type(tokenizer).__name__} puts no token such as [CLS] in front of a text, which stands for "
                '"no answer here" in task=probe: choose an encoder that has one, or probe.form=classification.'
            )

    def text(self, document: Document) -> str:
        """The haystack."""
        text: str = document.fields["text"]
        return text

    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """The question in front of the text, parted as the tokenizer parts two texts."""
        around = pair_frame(tokenizer)
        query, terms = query_of(tokenizer, document.fields["question"])
        return Framing((*around.before, *query, *around.between), around.after, query, terms)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Whole texts as token ids, labelled with the answer, or with whether a token is part of one."""
        encoded = super().encode(documents, tokenizer)
        if not self._marks:
            return encoded
        pairs = zip(documents, encoded, strict=True)
        return [replace(tokens, labels=marking.marks(tokens, document.fields["spans"])) for document, tokens in pairs]

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Of marks (B, W, 1), or of the choice (B, C); labels (B, W)."""
        return marking.loss(outputs, labels) if self._marks else super().loss(outputs, labels)

    def observe(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, W, 1) scores of tokens, or (B, W, C) what the window says, on each of its tokens."""
        return marking.observe(outputs) if self._marks else super().observe(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The ``Reply``; ``seen`` says whether all of each span was, or of the text where none is known."""
        fields, num_tokens = document.fields, len(encoded.input_ids)
        seen = spans_seen(document, encoded, merged)
        if self._marks:
            words = marking.best_words(fields["text"], encoded, merged, fields["asked"])
            return Prediction(document.id, Reply(BETWEEN.join(words), num_tokens), seen)
        verdict: Verdict = super().decode(document, encoded, merged).answer
        return Prediction(document.id, Reply("".join(verdict.chosen), num_tokens, len(verdict.classes)), seen)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """What was asked and what was said."""
        return {"id": document.id, "question": document.fields["question"], "answer": prediction.answer.text}
