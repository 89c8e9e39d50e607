"""Probes: one question about a synthetic text, with evidence at a known depth in a text of known length."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Answered, Asked
from ctxlab.core.task import POSITIONS, Loss, Predicted
from ctxlab.core.types import Document, Encoded, Merged, Prediction
from ctxlab.tasks.forms import marking
from ctxlab.tasks.forms.document_classifier import DocumentClassifier, Framing, Verdict
from ctxlab.tasks.forms.explained import UNREAD, evidence_in, marked_target
from ctxlab.tasks.generative.probe import GenerativeProbe
from ctxlab.tasks.generative.prompts import Prompt
from ctxlab.tasks.records.labels import sorted_labels
from ctxlab.tasks.records.probes import BETWEEN, Reply, probe_fields, spans_seen
from ctxlab.tasks.text.encoding import query_of
from ctxlab.tasks.text.pairs import pair_frame
from ctxlab.text.language import checked
from ctxlab.text.units import find_words

FORMS = ("classification", "marking")


class Probe(DocumentClassifier):
    """The question precedes every window of the text, and the answer is chosen or marked.

    - ``classification``: one of a closed list of answers, as in every task with one answer per document.
    - ``marking``: the words of the text with the best scores, as many as the question asks for.

    Generative models use ``GenerativeProbe`` instead.

    A record has ``text``, ``question`` and ``answers``; ``spans`` (characters of the answers, or of their evidence),
    ``choices`` (the closed list), ``all`` (whether every answer is wanted, or any one suffices), ``length`` and
    ``depth`` where they are known.
    """

    name = "probe"
    record_fields = (("text", "question", "answers"),)
    kinds = frozenset({"encoder"})
    metric = "probe_recall"

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
        """Check and store the options.

        Args:
            form: How an encoder answers: ``classification`` or ``marking``.
            labels: All answers to choose from; None learns them from the training documents.
            text_field: Field of a record with the text.
            combine: How predictions of windows are combined: ``mean``, ``max`` or ``attention``.
            instruction: Of a prompt: text before every window, for models that generate.
            cue: Of a prompt: text after which the answer begins.
            shots: Solved training documents before every window of a decoder, 0 or more, drawn by seed.
            example_words: Words shown of each solved document, around the first piece of evidence, at least 1.
            decoding: Settings of generation, the keys of ``conf/task/decoding``; None for greedy search.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        if form not in FORMS:
            raise UserError(f"task.form={form} is not known: use {' or '.join(FORMS)}.")
        super().__init__(labels, "answers", combine, several=False)
        self.language = checked(language)
        self.primary_metric, self._form = "recall", form
        self._marks, self._text_field = form == "marking", text_field
        if self._marks:
            self.head, self.predicts = "token_classification", POSITIONS
        self._prompt, self._decoding = Prompt(instruction, cue, shots, example_words), decoding

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return the form of the answer."""
        return (self._form,)

    def for_kind(self, kind: str) -> Any:
        """Return the task itself for encoders, which choose or mark; other models generate the answer.

        Raises:
            UserError: Few-shot examples for an encoder.
        """
        if kind != "encoder":
            return GenerativeProbe(self._decoding, self._prompt, self._text_field).for_kind(kind)
        if self._prompt.shots:
            raise UserError(
                f"task.shots={self._prompt.shots} does not work with a model of kind encoder, which reads no solved "
                "examples: use task.shots=0 and train it, or a decoder such as model=smollm2."
            )
        return self

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check text, question and answers of a record; with ``gold=False`` text and question are enough."""
        fields = probe_fields(record, self._text_field, origin, gold=gold)
        if gold:
            fields |= self._marked(fields, origin) if self._marks else self._chosen(fields, origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def _marked(self, fields: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Return the spans of the answers, searched for where the record has none."""
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
                f"{origin} has {len(fields['answers'])} answers, and task.form=classification chooses exactly one: "
                "use task.form=marking."
            )
        return {"gold": self.gold({"answers": fields["answers"][0]}, origin)}

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the classes: the closed list of the documents, or else all their answers."""
        if self._marks:
            self.labels = ["answer"]
        elif not self.labels:
            known = {choice for document in documents for choice in document.fields["choices"]}
            if known:
                self.labels = sorted_labels(known)
            super().learn_labels(documents)

    def prepare(self, tokenizer: Any) -> None:
        """Raise UserError where the tokenizer has no token before a text, which marking needs for "not here"."""
        if self._marks and not pair_frame(tokenizer).before:
            raise UserError(
                f"{type(tokenizer).__name__} puts no token such as [CLS] before a text, which task=probe needs for "
                '"no answer here": choose an encoder that has one, or task.form=classification.'
            )

    def text(self, document: Document) -> str:
        """Return the text."""
        text: str = document.fields["text"]
        return text

    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """Put the question before the text, separated as the tokenizer separates two texts."""
        around = pair_frame(tokenizer)
        query, terms = query_of(tokenizer, document.fields["question"])
        return Framing((*around.before, *query, *around.between), around.after, query, terms)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole texts as token ids, labelled with the answer, or with whether a token is part of one."""
        encoded = super().encode(documents, tokenizer)
        if not self._marks:
            return encoded
        pairs = zip(documents, encoded, strict=True)
        return [replace(tokens, labels=marking.marks(tokens, document.fields["spans"])) for document, tokens in pairs]

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the loss of marks (B, W, 1), or of the choice (B, C); labels (B, W)."""
        return marking.loss(outputs, labels) if self._marks else super().loss(outputs, labels)

    def predicted(self, outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
        """Return the distribution over positions, from marks (B, W, 1), or over answers, from (B, C)."""
        return marking.predicted(outputs, labels) if self._marks else super().predicted(outputs, labels)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return (B, W, 1) scores of tokens, or the window's prediction on each of its tokens (B, W, C)."""
        return marking.reduce_outputs(outputs) if self._marks else super().reduce_outputs(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``Reply``; ``seen`` is whether all of each span was seen, or of the text where none is known."""
        fields, num_tokens = document.fields, len(encoded.input_ids)
        seen = spans_seen(document, encoded, merged)
        if self._marks:
            words = marking.best_words(fields["text"], encoded, merged, fields["asked"])
            return Prediction(document.id, Reply(BETWEEN.join(words), num_tokens), seen)
        verdict: Verdict = super().decode(document, encoded, merged).answer
        return Prediction(document.id, Reply("".join(verdict.chosen), num_tokens, len(verdict.classes)), seen)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the question and the answer."""
        return {"id": document.id, "question": document.fields["question"], "answer": prediction.answer.text}

    def explained(self, document: Document, answered: Answered) -> Asked:
        """Return the chosen answer, or the best marked token; the spans of the record are its evidence."""
        if not self._marks:
            return super().explained(document, answered)
        seen = answered.merged.seen.any()
        evidence, _ = evidence_in(document, answered.encoded)
        targets = [marked_target(answered, evidence)] if seen else []
        return Asked(document.fields["text"], None, targets, "" if seen else UNREAD)

    def explained_labels(self, prediction: Prediction) -> Sequence[str]:
        """Return the chosen answer."""
        return (prediction.answer.text,) if prediction.answer.text else ()
