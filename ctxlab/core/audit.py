"""Protocol of audits: checks that ask whether a run treats documents differently for what should not matter."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Prediction, ScoredRecord, Table

LINES = "lines"
"""Kind of plot of a table (``Table.drawn``): a line through its rows, which are in order."""


class Verdict(StrEnum):
    """What a check came to."""

    PASS = "pass"  # noqa: S105 - no password
    FOUND = "found"
    TOO_LITTLE = "not enough data"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Rules:
    """When a check says that it found something."""

    level: float = 0.05
    """Probability that a check finds something where there is nothing, over all of its comparisons."""
    least: int = 10
    """Documents below which a group or a comparison says nothing."""
    seed: int = 0
    """Seed of all random choices."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison of a check: two figures and their difference."""

    name: str
    """What is compared with what."""
    figure: str
    first: float
    second: float
    difference: float
    """First minus second."""
    low: float | None
    high: float | None
    """95 % interval of the difference."""
    p_value: float
    num_documents: int
    adjusted_p: float = 1.0
    """Adjusted by Holm's method over the comparisons of the check."""
    is_found: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    verdict: Verdict
    sentence: str
    """What was found or why nothing could be, with figures."""
    compared: Sequence[Compared] = ()
    tables: Sequence[Table] = ()
    """Figures with intervals; those with ``drawn`` set are plotted as well."""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a run answers to some documents."""

    documents: Sequence[Document]
    predictions: Sequence[Prediction]
    scores: Sequence[ScoredRecord]
    """Contribution of each unit to the figures; empty where documents have no gold."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Scores that a run has left on documents of its own."""

    place: str
    """Where they are, for messages."""
    split: str
    scores: Sequence[ScoredRecord]


def record_of(document: Document) -> str:
    """Return the id of the record that a document is part of: of the text of a question, of a ranked candidate."""
    return str(document.fields.get("record", document.fields.get("group", document.id)))


class Subject(ABC):
    """A run under audit with the documents that it is audited on."""

    task: Task
    documents: Sequence[Document]
    """With gold labels, unless a check says that it needs none."""
    rules: Rules
    figure: str
    """The primary figure of the task."""
    lower_is_better: bool

    @abstractmethod
    def answers(self, what: str, documents: Sequence[Document]) -> Answers:
        """Return the run's answers to documents, and their scores.

        Args:
            what: What they are, for the progress display.
            documents: Perhaps changed; ids are those of the documents that they were.
        """

    @abstractmethod
    def own(self) -> Answers:
        """Return the answers to ``documents`` as they are, which are computed once for all checks."""

    @abstractmethod
    def record(self, document: Document) -> Mapping[str, Any]:
        """Return the record that a document was read from, with the fields that the task does not use."""

    @abstractmethod
    def recorded(self, run: str | None) -> Recorded | None:
        """Return the scores that a run left on documents of its own; None if it left none.

        Args:
            run: Its directory; None for that of the run under audit.

        Raises:
            UserError: It failed, or is a run of another task.
        """


@dataclass(frozen=True, slots=True)
class Audited:
    """A check of an audit with what it found."""

    name: str
    """Name of the check on the command line."""
    question: str
    """What the check asks."""
    finding: Finding
    seconds: float


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that an audit came to."""

    run: str
    task: str
    model: str
    strategy: str
    split: str
    num_documents: int
    rules: Rules
    checks: Sequence[Audited]
    command: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def found(self) -> list[str]:
        """Return the names of the checks that found something."""
        return [one.name for one in self.checks if one.finding.verdict is Verdict.FOUND]


class Check(Component, ABC):
    """A question that an audit asks about a run; each is one file under ``ctxlab/audit``."""

    question: str
    """What it asks, in one sentence."""

    @abstractmethod
    def check(self, subject: Subject) -> Finding:
        """Return what was found.

        Raises:
            UserError: What the check was asked for is not in the documents: a field, a group, a file.
        """


def not_applicable(why: str) -> Finding:
    """Return the finding of a check that does not fit the task or the documents."""
    return Finding(Verdict.NOT_APPLICABLE, why)


def too_little(why: str, **more: Any) -> Finding:
    """Return the finding of a check that has too few documents to say anything."""
    return Finding(Verdict.TOO_LITTLE, why, **more)
