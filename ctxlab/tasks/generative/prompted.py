"""Classification by a prompt instead of a head: a decoder scores each label as a continuation of the prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.generation import Continuations, Decoding
from ctxlab.core.types import Document, Encoded, Merged, Prediction
from ctxlab.tasks.forms.document_classifier import DocumentClassifier
from ctxlab.tasks.generative.base import GenerativeTask
from ctxlab.tasks.generative.prompts import Prompt, ids_of, line_ends

LABELS = "{labels}"
"""Placeholder in ``task.instruction`` for the list of all labels."""


def prompted(trained_form: DocumentClassifier, prompt: Prompt, kind: str) -> "Prompted":
    """Return the prompted form of ``trained_form`` for a decoder.

    Raises:
        UserError: The model is of another ``kind``, or documents have several labels.
    """
    if kind != "decoder":
        raise UserError(
            f"task.shots={prompt.shots} prompts the model, which does not work with a model of kind {kind}: use "
            "task.shots=null, which trains a head, or a decoder such as model=smollm2."
        )
    if trained_form.several:
        raise UserError(
            f"task.shots={prompt.shots} does not work with task.multi_label=true, as a prompt is answered by one "
            "label: use task.shots=null, which trains a head, or task.multi_label=false."
        )
    task = Prompted(trained_form, prompt)
    task.for_kind(kind)
    return task


class Prompted(GenerativeTask):
    """A task with one label per document, for decoders without a trained head.

    A window's logit of a label is the sum of the log probabilities of the label's tokens after the prompt (as Brown
    et al. 2020, arXiv:2005.14165, section 2.4, without their normalisation by length or by an unconditional
    probability), so that the labels' probabilities are those of the model, renormalised. These logits replace a head's
    outputs, and all else (rules over windows, scores, calibration) is inherited from the task.

    Where a label is a prefix of another (1 and 10), the end of the label counts too: a line end, or the end of text.

    The model can also be trained to generate a document's label after each of its windows.
    """

    kinds = frozenset({"decoder"})
    chooses = True
    metric = "classification"

    def __init__(self, trained_form: DocumentClassifier, prompt: Prompt) -> None:
        """Store the form of the task with a head, and the prompt around windows."""
        super().__init__(None, prompt, "best")
        self.name, self.primary_metric = trained_form.name, trained_form.primary_metric
        self._trained_form, self._instruction = trained_form, prompt.instruction
        self.notes = trained_form.notes
        self.shape = trained_form.shape
        self.labels, self.learns_labels = list(trained_form.labels), not trained_form.labels

    @property
    def trained_form(self) -> DocumentClassifier:
        """Return the form of the task with a head, with the labels of this form."""
        self._trained_form.labels = self.labels
        return self._trained_form

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return the usable records, as for the form with a head."""
        return self._trained_form.admit(records, gold=gold)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a record, as for the form with a head."""
        return self._trained_form.parse(record, origin, gold=gold)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the labels, as for the form with a head."""
        self.trained_form.learn_labels(documents)
        self.labels = list(self._trained_form.labels)

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Check gold labels, as for the form with a head."""
        self.trained_form.check_labels(documents)

    def source(self, document: Document) -> str:
        """Return the document's text."""
        return self._trained_form.text(document)

    def ask(self, document: Document) -> str:
        """Return the task's question about the text, if any."""
        return self._trained_form.asked(document)

    def target(self, document: Document) -> str | None:
        """Return the label."""
        labels: Sequence[str] = document.fields.get("gold", ())
        return labels[0] if labels else None

    def prepare(self, tokenizer: Any) -> None:
        """Tokenize the labels, reserve room for them, and complete the instruction that lists them."""
        super().prepare(tokenizer)
        ids = [tuple(ids_of(tokenizer, f" {label}")) for label in self.labels]
        self._check_apart(ids)
        begins = any(one != other and other[: len(one)] == one for one in ids for other in ids)
        self.continuations = Continuations(ids, tuple(sorted(self.stops)) if begins else ())
        self.decoding = Decoding(max_new_tokens=max(map(len, ids)) + 1)  # with the end of text
        self.prompt = replace(self.prompt, instruction=self._instruction.replace(LABELS, ", ".join(self.labels)))

    def _check_apart(self, ids: Sequence[tuple[int, ...]]) -> None:
        """Raise UserError where two labels have the same tokens, or one has none."""
        first: dict[tuple[int, ...], str] = {}
        for tokens, label in zip(ids, self.labels, strict=True):
            if not tokens or tokens in first:
                same = f"has the tokens of '{first[tokens]}'" if tokens else "has no tokens"
                raise UserError(
                    f"The label '{label}' {same} for this model's tokenizer: rename it in the data, or use "
                    "task.shots=null, which trains a head."
                )
            first[tokens] = label

    def more_stops(self, tokenizer: Any) -> tuple[int, ...]:
        """Return the line ends: a label is one line."""
        return line_ends(tokenizer)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Expand (B, C) to (B, W, C): the window's prediction on each of its tokens."""
        return self._trained_form.reduce_outputs(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the combined answer, as for the form with a head."""
        return self.trained_form.decode(document, encoded, merged)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the prediction line, as for the form with a head."""
        return self.trained_form.record(document, prediction)
