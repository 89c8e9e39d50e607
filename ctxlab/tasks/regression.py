"""Regression: predicts one number for a whole document, such as the grade of an essay or the rating of a review.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.shape import Shape
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.records.evidence import evidence_field, evidence_of
from ctxlab.tasks.records.fields import text_of
from ctxlab.tasks.records.numbers import number_of
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.tasks.text.subwords import frame
from ctxlab.text.language import checked

STEPS = 2**20
"""Steps from the lowest to the highest number: labels of tokens are whole numbers."""

ZERO = 2**40
"""Label of the lowest number; those of lower ones are positive too, and so are not taken for ``NO_LABEL``."""

RANGE = re.compile(r"(?P<low>\S+) to (?P<high>\S+)")
"""The name of the model's only output, from which a checkpoint's range is read again."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """The answer for one document."""

    number: float | None
    """None where nothing was read."""
    low: float
    high: float
    """The range of the training documents."""
    num_tokens: int
    num_seen: int
    """Tokens of the document that were read."""
    evidence: tuple[tuple[float, bool], ...]
    """For each known piece of evidence its position in the document (0 to 1) and whether all of it was read."""


class Regression(BaseTask):
    """One number per document, by the mean squared error.

    The output is -1 at the lowest number of the training documents and 1 at the highest, whatever their unit, so that
    the same learning rate suits grades and percentages. Answers may lie outside. Every window predicts the document's
    number, and the answer is the mean over the tokens that were read.
    """

    name = "regression"
    head = "sequence_classification"
    kinds = frozenset({"encoder", "decoder"})
    metric = "regression"
    primary_metric = "mse"
    lower_is_better = True
    streams = True
    shape = Shape("text", spans=("probes",))
    record_fields = (("text", "score"),)

    def __init__(
        self,
        text_field: str = "text",
        number_field: str = "score",
        low: float | None = None,
        high: float | None = None,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            text_field: Field of a record with the text.
            number_field: Field with its number.
            low: Lowest number; None for that of the training documents.
            high: Highest number; None for that of the training documents.
            language: Two-letter code for language-specific rules; None guesses from the script.

        Raises:
            UserError: The highest number is not above the lowest.
        """
        super().__init__()
        self._text_field, self._number_field = text_field, number_field
        self._given = (low, high)
        self.language = checked(language)
        if low is not None and high is not None:
            self._span(low, high, "task.low and task.high")

    def _span(self, low: float, high: float, whose: str) -> None:
        """Set the range.

        Raises:
            UserError: It has no extent.
        """
        if not low < high:
            raise UserError(
                f"{whose} go from {low:g} to {high:g}, and a regression needs at least two different numbers: give "
                "other documents, or task.low= and task.high=."
            )
        self.labels = [f"{float(low)!r} to {float(high)!r}"]

    @property
    def _ends(self) -> tuple[float, float]:
        """Return the range, which is known where the label is."""
        low, high = self.labels[0].split(" to ")
        return float(low), float(high)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check text and number of a record; with ``gold=False`` the text is enough."""
        text = text_of(record, self._text_field, option="task.text_field", origin=origin, task=self.name)
        number = {"gold": number_of(record, self._number_field, "task.number_field", origin)} if gold else {}
        found = Document(str(record.get("id", origin)), {"text": text, **number}, origin)
        return replace(found, fields={**found.fields, **evidence_field(record, len(text), origin)})

    @property
    def gold_fields(self) -> Sequence[str]:
        """Return the field with the number."""
        return (self._number_field,)

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return the records that have a number, or all of them where none is needed.

        Raises:
            UserError: None has one.
        """
        kept = [one for one in records if not gold or one.fields.get(self._number_field) not in (None, "")]
        if records and not kept:
            raise UserError(
                f"No record has a number in the field '{self._number_field}': name another with task.number_field=."
            )
        if len(kept) < len(records):
            self.notes.append(f"{len(records) - len(kept):,} of {len(records):,} records have no number: left out.")
        return kept

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the range from the training documents, where it was not given."""
        if self.labels:
            return
        numbers = [document.fields["gold"] for document in documents]
        low, high = self._given
        self._span(
            min(numbers, default=0.0) if low is None else low,
            max(numbers, default=0.0) if high is None else high,
            f"The numbers of the {len(numbers)} training documents",
        )

    def take_labels(self, names: Sequence[str]) -> None:
        """Adopt the range of a fine-tuned model.

        Raises:
            UserError: It does not predict a number.
        """
        found = RANGE.fullmatch(names[0]) if len(names) == 1 else None
        if found is None:
            raise UserError(
                f"The model predicts {', '.join(names[:5])}, and task=regression needs one that predicts a number: "
                "train it with ctxlab train task=regression."
            )
        if not self.labels:
            self._span(float(found["low"]), float(found["high"]), "The numbers of the model")

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids, with the document's number, in steps, on every token."""
        before, after = frame(tokenizer)
        encoded = []
        for document in documents:
            text = encode_text(tokenizer, document.fields["text"], document.fields.get("language", ""))
            encoded.append(text.encoded(text.labelled(self._code(document)), before=before, after=after))
        return encoded

    def _code(self, document: Document) -> int:
        if "gold" not in document.fields:
            return NO_LABEL
        low, high = self._ends
        part = (document.fields["gold"] - low) / (high - low)
        return ZERO + round(float(np.clip(part, -STEPS, STEPS)) * STEPS)

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the squared error summed over windows, in fp32; outputs (B, 1), labels (B, W) of one value per row."""
        rows = labels.amax(dim=1)  # NO_LABEL is below all labels
        known = rows != NO_LABEL
        wanted = 2 * (rows[known] - ZERO).double() / STEPS - 1  # (N,) from -1 to 1
        return Loss(F.mse_loss(outputs.float()[known, 0], wanted.float(), reduction="sum"), known.sum())

    def gold_labels(self, encoded: Encoded) -> IntArray:
        """Return the number of the document, which all of its tokens have."""
        return super().gold_labels(encoded)[:1]

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Expand (B, 1) to (B, W, 1): the window's prediction on each of its tokens."""
        return outputs[:, None, :].expand(-1, labels.shape[1], -1)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``Estimated`` mean over the tokens that were read; nothing where none was."""
        num_seen, (low, high) = int(merged.seen.sum()), self._ends
        number = None
        if num_seen:
            output = float(merged.outputs[merged.seen, 0].mean(dtype=np.float64))
            number = low + (output + 1) / 2 * (high - low)
        answer = Estimated(
            number,
            low,
            high,
            num_tokens=len(encoded),
            num_seen=num_seen,
            evidence=evidence_of(document, encoded, merged),
        )
        return Prediction(document.id, answer, [num_seen > 0])

    def baselines(self, training: Sequence[Document], documents: Sequence[Document]) -> dict[str, list[Prediction]]:
        """Return the mean of the training documents, which no constant answer betters there."""
        middle = float(np.mean([one.fields["gold"] for one in training]))
        answer = Estimated(middle, *self._ends, num_tokens=1, num_seen=1, evidence=())
        return {"mean of the training documents": [Prediction(one.id, answer, [True]) for one in documents]}

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the number (None where nothing was read) and the fraction read."""
        answer: Estimated = prediction.answer
        number = None if answer.number is None else round(answer.number, 6)
        share = round(answer.num_seen / max(answer.num_tokens, 1), 4)
        return {"id": document.id, "score": number, "share_read": share}
