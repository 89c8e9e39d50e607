"""Shared base of tasks with one answer per document.

The model makes one prediction per window and is trained on the document's answer in every window. The predictions of a
document's windows are combined by a rule of ``forms.combine``.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, C classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.explanation import Answered, Asked
from ctxlab.core.task import LABEL_SETS, LABELS, Loss, Predicted
from ctxlab.core.types import NO_LABEL, Document, Encoded, FloatArray, IntArray, Merged, Opinion, Prediction
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.combine import RULES
from ctxlab.tasks.forms.explained import evidence_in, label_target, labels_of
from ctxlab.tasks.records.evidence import evidence_field, evidence_of
from ctxlab.tasks.records.label_map import LabelMap
from ctxlab.tasks.records.labels import LabelReader, checked_labels, sorted_labels
from ctxlab.tasks.text.encoding import encode_text

LARGEST_SET = 63
"""Largest number of classes in multi-label tasks: a document's labels are the bits of an integer."""

THRESHOLD = 0.5
"""Lowest probability at which a label is predicted in multi-label tasks."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The answer for one document."""

    classes: tuple[str, ...]
    """Names of all classes."""
    chosen: tuple[str, ...]
    """Predicted labels; none where the document was not read."""
    probabilities: FloatArray
    """(C,) zero where the document was not read."""
    several: bool
    """Whether a document may have several labels."""
    num_tokens: int
    num_seen: int
    """Tokens of the document that were read."""
    evidence: tuple[tuple[float, bool], ...]
    """For each known piece of evidence its position in the document (0 to 1) and whether all of it was read."""
    beside: float | None = None
    """Log odds of being chosen that given features add to those of the model; None where there are none."""

    @property
    def is_read(self) -> bool:
        """Whether anything was read."""
        return self.num_seen > 0


@dataclass(frozen=True, slots=True)
class Framing:
    """Token ids around every window of a document; see ``core.types.Encoded``."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    query: tuple[int, ...] = ()
    query_terms: tuple[int, ...] = ()


class DocumentClassifier(BaseTask, ABC):
    """Base of tasks with one answer per document; a task adds its records and the tokens around the text."""

    name: str
    head = "sequence_classification"
    streams = True
    explains = True
    kinds = frozenset({"encoder", "decoder"})
    metric = "classification"

    def __init__(
        self,
        labels: Sequence[str | int] | None,
        label_field: str,
        combine: str,
        *,
        several: bool,
        label_map: Mapping[str, str] | None = None,
    ) -> None:
        """Store the labels, where they are known, and how they are read and combined.

        Args:
            labels: All classes; None to learn them from the training documents.
            label_field: Field of a record that has the label or labels.
            combine: Name of the rule that combines windows, a key of ``forms.combine.RULES``.
            several: Whether a document may have several labels.
            label_map: Labels of the records that stand for others; None for none.

        Raises:
            UserError: ``combine`` is unknown, or the labels are not valid.
        """
        if combine not in RULES:
            raise UserError(f"task.combine={combine} is not one of {', '.join(RULES)}.")
        super().__init__([] if labels is None else checked_labels(labels))
        self._several, self._combine, self._rule = several, RULES[combine], combine
        self._label_map = LabelMap(label_map)
        self._reader = LabelReader(
            label_field, self.name, list(self.labels), self.notes, several=several, written=self._label_map
        )
        self.primary_metric = "micro_f1" if several else "accuracy"
        self.predicts = LABEL_SETS if several else LABELS
        self._check_count()

    @property
    def several(self) -> bool:
        """Whether a document may have several labels."""
        return self._several

    @abstractmethod
    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a record and return its document."""

    def document(self, record: Mapping[str, Any], fields: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Return the document of a record.

        Args:
            record: The record, from which labels and evidence are taken.
            fields: What the task has checked of it.
            origin: Place of the record, for messages.
            gold: Whether its labels are needed.
        """
        labels = {"gold": self.gold(record, origin)} if gold else {}
        found = Document(str(record.get("id", origin)), {**fields, **labels}, origin)
        evidence = evidence_field(record, len(self.text(found)), origin)
        return replace(found, fields={**found.fields, **evidence})

    @abstractmethod
    def text(self, document: Document) -> str:
        """Return the text that is split into windows."""

    @abstractmethod
    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """Return the token ids around every window."""

    def asked(self, document: Document) -> str:
        """Return the question of a prompt about the text; empty unless a task has a second text."""
        del document
        return ""

    def gold(self, record: Mapping[str, Any], origin: str) -> tuple[str, ...]:
        """Return the checked labels of a record."""
        return self._reader.read(record, origin)

    @property
    def gold_fields(self) -> Sequence[str]:
        """Return the field with the label."""
        return (self._reader.field,)

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return the records that have a label, or all of them where no labels are needed."""
        return self._reader.admit(records) if gold else list(records)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the classes from the training documents, unless ``labels`` were given.

        Raises:
            UserError: There are too few or too many classes.
        """
        if self.labels:
            return
        self.labels = self._reader.places or sorted_labels(
            {label for document in documents for label in document.fields["gold"]}
        )
        if len(self.labels) < (1 if self._several else 2):
            had = f"only the label '{self.labels[0]}'" if self.labels else "no label"
            raise UserError(
                f"The {len(documents)} training documents have {had} in '{self._reader.field}', and a classifier needs "
                "at least two: give other documents, or list all labels with task.labels=[…]."
            )
        self._check_count()

    def _check_count(self) -> None:
        if self._several and len(self.labels) > LARGEST_SET:
            raise UserError(
                f"There are {len(self.labels)} labels, and task.multi_label=true supports at most {LARGEST_SET}: "
                "keep the frequent ones."
            )

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Raise UserError where a gold label has no output of the model."""
        known = set(self.labels)
        self._label_map.check(known)
        for document in documents:
            for name in document.fields.get("gold", ()):
                if name not in known:
                    raise UserError(
                        f"The label '{name}' in the field '{self._reader.field}' of {document.origin} is not among "
                        f"those that the model was trained with ({', '.join(self.labels)}): train with task.labels="
                        f"[{','.join([*self.labels, name])}], or take the document out of the file."
                    )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids, with the document's label on every token.

        The label is the index of its class, or in multi-label tasks an integer with one bit per label.
        """
        encoded = []
        for document in documents:
            text = encode_text(tokenizer, self.text(document), document.fields.get("language", ""))
            framing = self.framing(document, tokenizer)
            numbers = {"numbers": document.fields["numbers"][text.word_ids]} if "numbers" in document.fields else {}
            encoded.append(
                text.encoded(
                    text.labelled(self._code(document)),
                    before=framing.before,
                    after=framing.after,
                    query=framing.query,
                    query_terms=framing.query_terms,
                    **numbers,
                )
            )
        return encoded

    def _code(self, document: Document) -> int:
        if "gold" not in document.fields:
            return NO_LABEL
        numbers = [self.labels.index(label) for label in document.fields["gold"]]
        return sum(1 << number for number in numbers) if self._several else numbers[0]

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the cross entropy summed over windows, in fp32; outputs (B, C), labels (B, W) with one label per row.

        In multi-label tasks it is the mean over labels of the binary cross entropy.
        """
        rows = labels.amax(dim=1)  # NO_LABEL is below all labels
        known = rows != NO_LABEL
        outputs, rows = outputs.float()[known], rows[known]
        if self._several:
            gold = (rows[:, None] >> torch.arange(outputs.shape[1], device=rows.device)) & 1
            total = F.binary_cross_entropy_with_logits(outputs, gold.float(), reduction="sum") / outputs.shape[1]
        else:
            total = F.cross_entropy(outputs, rows, reduction="sum")
        return Loss(total, known.sum())

    def predicted(self, outputs: torch.Tensor, labels: torch.Tensor) -> Predicted:
        """Return the distribution of each window's label, in fp32; outputs (B, C), labels (B, W).

        In multi-label tasks it is one of each window and label: absent or present.
        """
        rows = labels.amax(dim=1)
        known = rows != NO_LABEL
        logits, rows = outputs.float()[known], rows[known]
        if not self._several:
            return Predicted(logits, rows, logits.new_ones(len(rows)))
        count = logits.shape[1]
        gold = (rows[:, None] >> torch.arange(count, device=rows.device)) & 1  # (N, C)
        present = logits.flatten()
        pairs = torch.stack([torch.zeros_like(present), present], dim=1)
        return Predicted(pairs, gold.flatten(), torch.full_like(present, 1 / count))

    def gold_labels(self, encoded: Encoded) -> IntArray:
        """Return the label of the document, which all of its tokens have."""
        return super().gold_labels(encoded)[:1]

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Expand (B, C) to (B, W, C): the window's prediction on each of its tokens."""
        return outputs[:, None, :].expand(-1, labels.shape[1], -1)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the combined ``Verdict`` of all windows; a document of which nothing was read has no label."""
        given = np.zeros(len(self.labels), np.float32)
        if merged.seen.any():
            given = self._combine(merged.outputs[merged.seen], several=self._several)
        return self._answer(document, encoded, merged, given)

    def opinion(self, document: Document, encoded: Encoded, merged: Merged) -> Opinion:
        """Return the probabilities (1, C) of the document's classes, combined over its windows."""
        verdict: Verdict = self.decode(document, encoded, merged).answer
        return Opinion(verdict.probabilities[None].astype(np.float64), np.array([verdict.is_read]), verdict.classes)

    def decide(self, document: Document, encoded: Encoded, merged: Merged, opinion: Opinion) -> Prediction:
        """Return the ``Verdict`` of a mean of probabilities."""
        return self._answer(document, encoded, merged, opinion.probabilities[0].astype(np.float32))

    def _answer(self, document: Document, encoded: Encoded, merged: Merged, given: FloatArray) -> Prediction:
        """Return the ``Verdict`` where the classes have the probabilities ``given`` (C,)."""
        num_seen = int(merged.seen.sum())
        numbers = np.flatnonzero(given >= THRESHOLD) if self._several else [int(given.argmax())]
        chosen = tuple(self.labels[number] for number in numbers) if num_seen else ()
        evidence = evidence_of(document, encoded, merged)
        verdict = Verdict(
            tuple(self.labels),
            chosen,
            probabilities=given,
            several=self._several,
            num_tokens=len(encoded),
            num_seen=num_seen,
            evidence=evidence,
        )
        return Prediction(document.id, verdict, [verdict.is_read])

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the label (None where nothing was read) or labels, all probabilities, and the fraction read."""
        verdict: Verdict = prediction.answer
        chosen = list(verdict.chosen)
        answer = {"labels": chosen} if verdict.several else {"label": chosen[0] if chosen else None}
        pairs = zip(verdict.classes, verdict.probabilities.tolist(), strict=True)
        given = {name: round(value, 6) for name, value in pairs} if verdict.is_read else None
        share = round(verdict.num_seen / max(verdict.num_tokens, 1), 4)
        return {"id": document.id, **answer, "probabilities": given, "share_read": share}

    def explained(self, document: Document, answered: Answered) -> Asked:
        """Return each predicted label, with the evidence that the record names."""
        names = self.explained_labels(answered.prediction)
        evidence, distance = evidence_in(document, answered.encoded)
        targets = [
            label_target(
                answered,
                name,
                index=self.labels.index(name),
                rule=self._rule,
                several=self._several,
                evidence=evidence,
                distance=distance,
            )
            for name in names
        ]
        return labels_of(self.text(document), answered, names, targets)

    def explained_labels(self, prediction: Prediction) -> Sequence[str]:
        """Return the labels to explain: those that were predicted."""
        verdict: Verdict = prediction.answer
        return verdict.chosen
