"""What a task owes the rest: from a record to a whole document, and from outputs back to an answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.contract import Component
from ctxlab.core.data import Record
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Prediction


@dataclass(frozen=True, slots=True)
class Loss:
    """Sum over labels and their weight, so that parts of a batch add up exactly."""

    total: torch.Tensor
    weight: torch.Tensor


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is written; the values are in ``conf/task/decoding``."""

    max_new_tokens: int = 64
    num_beams: int = 1
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Continuations:
    """What may follow a prompt, one of several."""

    token_ids: Sequence[tuple[int, ...]] = ()
    """Of each."""
    ends: tuple[int, ...] = ()
    """Tokens of which any must follow; empty where none begins another, so that none needs an end."""


class Task(Component, ABC):
    """One file under ``ctxlab/tasks`` a task."""

    name: str
    head: str
    """Kind of model head, a key of ``models.heads.HEADS``."""
    kinds: frozenset[str]
    """Kinds of model that it works with: ``encoder``, ``decoder``, ``encoder_decoder``."""
    contiguous: bool
    """Whether windows must be unbroken stretches, as the next token is what is asked for."""
    metric: str
    """File under ``ctxlab/evaluation/metrics`` that scores it."""
    primary_metric: str
    """Key of the score that selects checkpoints."""
    lower_is_better: bool
    """Whether a smaller primary metric is the better one."""
    labels: list[str]
    """Names behind the model's outputs, known after ``learn_labels``; empty where these are its vocabulary."""
    language: str
    """Of the documents, two letters, where the user says it; else "": their script tells (``ctxlab.text.language``)."""
    notes: list[str]
    """What was repaired or worked around in the data, a sentence each, for the report."""
    runs_model: bool
    """Whether the model has a say; without, what the reading keeps of a document is all that an answer needs."""
    writes: bool
    """Whether the answer is text that the model writes, rather than read off its outputs."""
    decoding: "Decoding"
    """How it writes."""
    chooses: bool
    """Whether what it writes is one of ``continuations``: these are held against the model, and nothing is written."""
    continuations: "Continuations"
    """Known after ``prepare``."""
    stops: tuple[int, ...]
    """Token ids that end what it writes; known after ``prepare``."""
    scores_target: bool
    """Whether an evaluation also asks how likely the model holds the gold target."""
    learns_labels: bool
    """Whether an evaluation of an untrained model needs ``learn_labels`` first."""
    num_examples: int
    """Solved documents of the training split that stand in front of every window."""

    @property
    @abstractmethod
    def encode_options(self) -> tuple[Any, ...]:
        """What else than labels decides how a document is encoded: a part of the name under which tokens are kept."""

    @abstractmethod
    def form(self, kind: str) -> "Task":
        """The task as a model of this ``kind`` does it, itself or another; called before anything else."""

    @abstractmethod
    def take_examples(self, documents: Sequence[Document], seed: int) -> None:
        """The training documents, of which ``num_examples`` are drawn for each document; called before ``encode``."""

    @abstractmethod
    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """The records of a split that can be read, seen together before any is parsed; says in ``notes`` what is not.

        With ``gold`` a record needs labels. Raises UserError where nothing is left.
        """

    @abstractmethod
    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check a record as a source gave it; raises UserError naming ``origin`` and the field.

        With ``gold=False`` (prediction) the record needs no labels, and plain text is accepted.
        """

    @abstractmethod
    def gather(self, documents: Sequence[Document]) -> None:
        """Look at all parsed records of a split, before these are split: one may need the others."""

    @abstractmethod
    def split(self, document: Document) -> list[Document]:
        """What is read of a parsed record, each by itself: a question with its context, say; mostly the record."""

    @abstractmethod
    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the label list from the training documents (unless the user gave one)."""

    @abstractmethod
    def take_labels(self, names: Sequence[str]) -> None:
        """Take the labels of a model that is fine-tuned already, unless the user gave some.

        Raises:
            UserError: They are none that the task can give.
        """

    @abstractmethod
    def check_labels(self, documents: Sequence[Document]) -> None:
        """Refuse gold labels that the model cannot give; raises UserError."""

    @abstractmethod
    def prepare(self, tokenizer: Any) -> None:
        """Learn what is needed of the tokenizer; called before ``renew`` and ``decode``, when tokens may be kept ones.

        Raises:
            UserError: The task cannot work with it.
        """

    @abstractmethod
    def install(self, model: Any) -> None:
        """Put trainable modules that turn outputs into answers into ``model`` (``core.added_modules.attach``), if any.

        Called when labels are known; a checkpoint's weights are put into them afterwards.
        """

    @abstractmethod
    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Whole documents as token ids with labels."""

    @abstractmethod
    def renew(self, encoded: Encoded, seed: int) -> Encoded:
        """A training document as one epoch sees it (masked anew, say); a pure function of the document and ``seed``."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Loss of outputs (B, W, C) against labels (B, W)."""

    def teaches(self, labels: IntArray) -> bool:
        """Whether ``loss`` counts anything of a window with ``labels`` (W,): training leaves out those where not."""
        return bool((labels != NO_LABEL).any())

    @abstractmethod
    def observe(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What scores and answers need of outputs (B, W, C) with labels (B, W): (B, W, D), D perhaps much smaller."""

    @abstractmethod
    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """The answer for a whole document, from what was observed on its tokens (L, D)."""

    @abstractmethod
    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """The prediction as one JSON line."""
