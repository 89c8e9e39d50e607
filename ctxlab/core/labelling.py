"""Protocols of labelling: what a model suggests for unlabelled documents, and what becomes of it.

Shape legend: N distributions of a document (one a word, or one of the document), C alternatives.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.data import Record
from ctxlab.core.types import Document, DoubleArray, Opinion, Prediction, Table


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A label that a model suggests: of a whole document, or of its words ``start`` to ``end`` (not included)."""

    label: str
    confidence: float
    """Probability that the model gives it; of an entity the lowest of its words'."""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """Everything that a model suggests for one document."""

    record: Record
    document: Document
    suggestions: tuple[Suggestion, ...]
    confidence: float
    """Of the whole answer: the lowest of its parts'."""
    distributions: DoubleArray
    """(N, C) probabilities of the alternatives, of those units that were read."""
    is_whole: bool
    """Whether the model read all units that have a label."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A document with the labels that it is to be trained with."""

    record: Record
    document: Document
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One suggestion beside gold, for a risk–coverage curve."""

    confidence: float
    right: bool


class LabelForm(ABC):
    """How labels of a task are suggested, written as training documents, and read back from a reviewer."""

    unit: str
    """What has a label and a confidence, in the plural: ``entities``, ``documents``."""
    dropped: str
    """One sentence on what becomes of a suggestion below the threshold, and why."""

    @abstractmethod
    def has_gold(self, record: Record) -> bool:
        """Whether a record has gold labels."""

    @abstractmethod
    def guess(self, record: Record, document: Document, prediction: Prediction, opinion: Opinion) -> Guess:
        """Return what a model suggests.

        Args:
            record: The record.
            document: Its document.
            prediction: The answer of ``Task.decode``.
            opinion: The probabilities from which it was made.
        """

    @abstractmethod
    def kept(self, guess: Guess, threshold: float) -> tuple[Suggestion, ...] | None:
        """Return the suggestions with a confidence of at least ``threshold``; None to leave the document out."""

    @abstractmethod
    def line(self, kept: Kept) -> dict[str, Any]:
        """Return a training record, as ``data.train_file`` reads it with the options of the task."""

    @abstractmethod
    def shuffled(self, kept: Sequence[Kept], seed: int) -> list[Kept]:
        """Return the same documents with the same labels as often, each where chance puts it: a control."""

    @abstractmethod
    def judged(self, guess: Guess, gold: Document) -> list[Judged]:
        """Return whether each suggestion is right."""

    @abstractmethod
    def queued(self, guess: Guess) -> dict[str, Any]:
        """Return what a reviewer is shown: ``id``, the text, ``answer`` to be corrected, ``suggestions``."""

    @abstractmethod
    def reviewed(self, line: Mapping[str, Any], record: Record, document: Document, place: str) -> Kept:
        """Return a document with the ``answer`` of a reviewer.

        Args:
            line: The line of the reviewer.
            record: The record with that id.
            document: Its document.
            place: File and line, for messages.

        Raises:
            UserError: The text was changed, or the answer is not valid; names ``place``.
        """


@dataclass(frozen=True, eq=False)
class Pool:
    """The unlabelled documents of a command."""

    form: LabelForm
    records: Sequence[Record]
    documents: Sequence[Document]
    guesses: Callable[[], Iterator[Guess]]
    """Runs the model over them, in order."""
    gold: Mapping[str, Document] = field(default_factory=dict)
    """id → document with gold labels; empty unless all records have some."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """What a command writes."""

    lines: Sequence[Mapping[str, Any]]
    """The lines of the output file."""
    summary: str
    """What they are, in one sentence."""
    tables: Sequence[Table] = ()
    curve: Table | None = None
    """Risk–coverage curve, if the input has gold labels: columns ``share`` and ``error``."""
    notes: Sequence[str] = ()


class Labelling(Component, ABC):
    """A way from unlabelled documents to training documents; each is one file under ``ctxlab/labelling``."""

    @abstractmethod
    def label(self, pool: Pool) -> Labelled:
        """Return the lines of the output file and what the report says about them.

        Raises:
            UserError: There is nothing to write, or a file that is read back is not valid.
        """
