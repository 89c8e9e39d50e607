"""What tasks with one answer a document have in common.

The model says one thing for each window, and is trained with the document's answer on every window. What its windows
say is combined by ``combine``.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, C classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.data import Record
from ctxlab.core.errors import UserError
from ctxlab.core.task import Loss
from ctxlab.core.types import NO_LABEL, Document, Encoded, FloatArray, Merged, Prediction
from ctxlab.tasks.forms.base import Base
from ctxlab.tasks.forms.combine import RULES
from ctxlab.tasks.records.evidence import evidence_of
from ctxlab.tasks.records.labels import LabelReader, checked_labels, sorted_labels
from ctxlab.tasks.text.encoding import encode_text

LARGEST_SET = 63
"""Labels of which a document may have several: its own are the bits of an integer."""

THRESHOLD = 0.5
"""Probability from which on a label is given, where a document may have several."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The answer for one document."""

    classes: tuple[str, ...]
    """Names of all classes."""
    chosen: tuple[str, ...]
    """Labels that are given; none where the document was not read."""
    probabilities: FloatArray
    """(C,) zero where the document was not read."""
    several: bool
    """Whether a document may have several labels."""
    num_tokens: int
    num_seen: int
    """Tokens of the document that were read."""
    evidence: tuple[tuple[float, bool], ...]
    """Of each known piece of evidence its place in the document (share, 0 to 1) and whether it was read whole."""

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


class Whole(Base, ABC):
    """One answer a document; a task adds its records and what stands in front of the text."""

    name: str
    head = "sequence_classification"
    kinds = frozenset({"encoder", "decoder"})
    metric = "classification"

    def __init__(self, labels: Sequence[str | int] | None, label_field: str, combine: str, *, several: bool) -> None:
        """Take the labels where they are known, their field, and the rule that combines windows."""
        if combine not in RULES:
            raise UserError(f"task.combine={combine} is not one of {', '.join(RULES)}.")
        super().__init__([] if labels is None else checked_labels(labels))
        self._several, self._combine = several, RULES[combine]
        self._reader = LabelReader(label_field, self.name, list(self.labels), self.notes, several=several)
        self.primary_metric = "micro_f1" if several else "accuracy"
        self._check_count()

    @property
    def several(self) -> bool:
        """Whether a document may have several labels."""
        return self._several

    @abstractmethod
    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """A record, checked."""

    @abstractmethod
    def text(self, document: Document) -> str:
        """What is read in windows."""

    @abstractmethod
    def framing(self, document: Document, tokenizer: Any) -> Framing:
        """What is put around its windows."""

    def asked(self, document: Document) -> str:
        """What a prompt asks of the text; nothing, unless a task has a second text."""
        del document
        return ""

    def gold(self, record: Mapping[str, Any], origin: str) -> tuple[str, ...]:
        """Labels of a record, checked."""
        return self._reader.read(record, origin)

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Where labels are needed, the records that have one."""
        return self._reader.admit(records) if gold else list(records)

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the classes from the training documents, unless ``labels`` were given.

        Raises:
            UserError: There is nothing to tell apart, or there are too many.
        """
        if self.labels:
            return
        self.labels = self._reader.places or sorted_labels(
            {label for document in documents for label in document.fields["gold"]}
        )
        if len(self.labels) < (1 if self._several else 2):
            had = f"only the label '{self.labels[0]}'" if self.labels else "no label"
            raise UserError(
                f"The {len(documents)} training documents have {had} in '{self._reader.field}', so that there is "
                "nothing to tell apart: give others, or list all labels with task.labels=[…]."
            )
        self._check_count()

    def _check_count(self) -> None:
        if self._several and len(self.labels) > LARGEST_SET:
            raise UserError(
                f"There are {len(self.labels)} labels, and a document may have several of {LARGEST_SET} at most: "
                "keep the frequent ones."
            )

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Refuse labels that the model has no output for."""
        known = set(self.labels)
        for document in documents:
            for name in document.fields.get("gold", ()):
                if name not in known:
                    raise UserError(
                        f"The label '{name}' in the field '{self._reader.field}' of {document.origin} is none that the "
                        f"model has from training ({', '.join(self.labels)}): train with task.labels="
                        f"[{','.join([*self.labels, name])}], or take the document out of the file."
                    )

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Whole documents as token ids, each token labelled with what the document is.

        That is the number of its class, or a number whose bits say which labels it has.
        """
        encoded = []
        for document in documents:
            text = encode_text(tokenizer, self.text(document), document.fields.get("language", ""))
            framing = self.framing(document, tokenizer)
            labels = np.full(len(text.input_ids), self._code(document), dtype=np.int64)
            encoded.append(
                Encoded(
                    text.input_ids,
                    text.word_ids,
                    labels,
                    framing.before,
                    framing.after,
                    framing.query,
                    marks=text.marks,
                    starts=text.starts,
                    ends=text.ends,
                    terms=text.terms,
                    query_terms=framing.query_terms,
                )
            )
        return encoded

    def _code(self, document: Document) -> int:
        if "gold" not in document.fields:
            return NO_LABEL
        numbers = [self.labels.index(label) for label in document.fields["gold"]]
        return sum(1 << number for number in numbers) if self._several else numbers[0]

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Cross entropy summed over windows, in fp32; outputs (B, C), labels (B, W) with one label a row.

        Where a document may have several labels it is the mean over labels of the binary cross entropy.
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

    def observe(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, W, C): what the window says, on each of its tokens."""
        return outputs[:, None, :].expand(-1, labels.shape[1], -1)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The combined ``Verdict`` of all windows; a document of which nothing was read has no label."""
        num_seen = int(merged.seen.sum())
        given = np.zeros(len(self.labels), np.float32)
        if num_seen:
            given = self._combine(merged.outputs[merged.seen], several=self._several)
        numbers = np.flatnonzero(given >= THRESHOLD) if self._several else [int(given.argmax())]
        chosen = tuple(self.labels[number] for number in numbers) if num_seen else ()
        evidence = evidence_of(document, encoded, merged)
        verdict = Verdict(tuple(self.labels), chosen, given, self._several, len(encoded), num_seen, evidence)
        return Prediction(document.id, verdict, [verdict.is_read])

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """The label (None where nothing was read) or the labels, the probability of each, and the share read."""
        verdict: Verdict = prediction.answer
        chosen = list(verdict.chosen)
        answer = {"labels": chosen} if verdict.several else {"label": chosen[0] if chosen else None}
        pairs = zip(verdict.classes, verdict.probabilities.tolist(), strict=True)
        given = {name: round(value, 6) for name, value in pairs} if verdict.is_read else None
        share = round(verdict.num_seen / max(verdict.num_tokens, 1), 4)
        return {"id": document.id, **answer, "probabilities": given, "share_read": share}
