"""One label a document, by a prompt instead of a head: each label is held against a decoder as what follows it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.task import Continuations, Decoding
from ctxlab.core.types import Document, Encoded, Merged, Prediction
from ctxlab.tasks.forms.document_classifier import Whole
from ctxlab.tasks.written.base import Writing
from ctxlab.tasks.written.prompts import Prompt, ids_of, line_ends

LABELS = "{labels}"
"""What ``task.instruction`` has in the place of all labels."""


def prompted(whole: Whole, prompt: Prompt, kind: str) -> "Prompted":
    """``whole`` as a decoder does it by a prompt.

    Raises:
        UserError: A model of another ``kind``, or several labels a document.
    """
    if kind != "decoder":
        raise UserError(
            f"task.shots={prompt.shots} prompts the model, and one of kind {kind} reads no prompts: use "
            "task.shots=null, which trains a head, or a decoder such as model=smollm2."
        )
    if whole.several:
        raise UserError(
            f"task.shots={prompt.shots} with task.multi_label=true: a prompt is answered by one label. Use "
            "task.shots=null, which trains a head, or task.multi_label=false."
        )
    task = Prompted(whole, prompt)
    task.form(kind)
    return task


class Prompted(Writing):
    """A task with one label a document, for decoders as they are.

    What a window says of a label is the sum of the log probabilities of the label's tokens behind the prompt (as Brown
    et al. 2020, arXiv:2005.14165, section 2.4, without their division by the length or by an unconditional
    probability): so the labels' probabilities are those that the model gives, made to add up to 1. They take the place
    of a head's outputs, and all else (rules over windows, scores, calibration) is the task's own.

    Where a label begins another (1 and 10), the end of the label counts too: a line end, or the end of a text.

    It can be trained as well, to write a document's label behind each of its windows.
    """

    kinds = frozenset({"decoder"})
    chooses = True
    metric = "classification"

    def __init__(self, whole: Whole, prompt: Prompt) -> None:
        """Take the task as it is with a head, and what stands around windows."""
        super().__init__(None, prompt, "best")
        self.name, self.primary_metric = whole.name, whole.primary_metric
        self._whole, self._instruction = whole, prompt.instruction
        self.notes = whole.notes
        self.labels, self.learns_labels = list(whole.labels), not whole.labels

    @property
    def whole(self) -> Whole:
        """The task as it is with a head, for the labels of this one."""
        self._whole.labels = self.labels
        return self._whole

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """As with a head."""
        return self._whole.admit(records, gold=gold)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """As with a head."""
        return self._whole.parse(record, origin, gold=gold)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """As with a head."""
        self.whole.learn_labels(documents)
        self.labels = list(self._whole.labels)

    def check_labels(self, documents: Sequence[Document]) -> None:
        """As with a head."""
        self.whole.check_labels(documents)

    def source(self, document: Document) -> str:
        """The document's text."""
        return self._whole.text(document)

    def ask(self, document: Document) -> str:
        """What the task asks of it."""
        return self._whole.asked(document)

    def target(self, document: Document) -> str | None:
        """Its label."""
        labels: Sequence[str] = document.fields.get("gold", ())
        return labels[0] if labels else None

    def prepare(self, tokenizer: Any) -> None:
        """Fix the tokens of each label, the room for them, and the instruction that names them."""
        super().prepare(tokenizer)
        ids = [tuple(ids_of(tokenizer, f" {label}")) for label in self.labels]
        self._check_apart(ids)
        begins = any(one != other and other[: len(one)] == one for one in ids for other in ids)
        self.continuations = Continuations(ids, tuple(sorted(self.stops)) if begins else ())
        self.decoding = Decoding(max_new_tokens=max(map(len, ids)) + 1)  # the end of a text too
        self.prompt = replace(self.prompt, instruction=self._instruction.replace(LABELS, ", ".join(self.labels)))

    def _check_apart(self, ids: Sequence[tuple[int, ...]]) -> None:
        """Refuse labels that the model cannot tell apart."""
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
        """A label is a line."""
        return line_ends(tokenizer)

    def observe(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, W, C) of outputs (B, C): what the window says, on each of its tokens."""
        return self._whole.observe(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """As with a head."""
        return self.whole.decode(document, encoded, merged)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """As with a head."""
        return self.whole.record(document, prediction)
