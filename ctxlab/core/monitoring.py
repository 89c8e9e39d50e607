"""Protocol of monitoring: documents as they come, what was usual, and the alarms of what no longer is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.errors import UserError

LENGTH, UNKNOWN, CONFIDENCE = "tokens", "unknown characters", "confidence"
"""Figures of a document: tokens, fraction of its characters that the tokenizer does not know, mean confidence."""

FORMAT = 1
"""Version of the file of a reference."""

LEAST_DOCUMENTS = 20
"""Least documents of a reference; from fewer no distribution can be told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A document of the stream, answered."""

    id: str
    number: int
    """Its place in the stream, from 1."""
    figures: Mapping[str, float]
    label: str | None = None
    """The predicted label, of tasks that label documents."""
    group: str | None = None
    """Value of the field of ``by``."""
    day: date | None = None
    terms: Sequence[int] = ()
    """Its tokens, by which events are linked."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is not as it was."""

    rule: str
    """Name of the detector."""
    subject: str
    """The figure or group."""
    document: str
    """Id of the document that made it ring."""
    number: int
    """Place of that document in the stream, from 1."""
    day: str | None
    value: float
    limit: float
    """The alarm rings where ``value`` exceeds it."""
    sentence: str
    same_as: int | None = None
    """Number of an earlier alarm of the same event, from 1."""

    def plain(self) -> dict[str, Any]:
        """Return what is written to ``alarms.jsonl``."""
        return asdict(self)


@dataclass(frozen=True)
class Reference:
    """Usual documents of a task, in numbers; no text is kept."""

    task: str
    num_documents: int
    figures: Mapping[str, Sequence[float]]
    """Figure → its values, ascending."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """Predicted label → documents."""

    def plain(self) -> dict[str, Any]:
        """Return what is written to the file."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def of(cls, content: Any, place: str, task: str) -> "Reference":
        """Return the reference in a file.

        Raises:
            UserError: It is not one, or one of another task; names ``place``.
        """
        try:
            if content["format"] != FORMAT:
                raise ValueError
            figures = {str(name): sorted(map(float, values)) for name, values in content["figures"].items()}
            labels = {str(name): int(count) for name, count in content["labels"].items()}
            found = cls(str(content["task"]), int(content["num_documents"]), figures, labels)
            if not found.figures or any(len(values) < LEAST_DOCUMENTS for values in figures.values()):
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError(
                f"reference={place} is not a reference that ctxlab monitor has written: delete it, or give documents, "
                "such as reference=usual.jsonl."
            ) from None
        if found.task != task:
            raise UserError(
                f"reference={place} is of task={found.task}, and the run of task={task}: give one of the same run."
            )
        return found


State = dict[str, Any]
"""What a detector remembers between documents, in plain values, so that it can be saved."""


class Detector(Component, ABC):
    """A rule that rings; each is one file under ``ctxlab/monitoring/drift`` or ``ctxlab/monitoring/surge``."""

    needs_groups: bool = False
    """Whether documents must have a group and a day."""
    active: bool = True
    """Whether it ever rings."""

    @property
    @abstractmethod
    def promise(self) -> str:
        """Return in one sentence how often it rings without a reason."""

    @abstractmethod
    def step(self, state: State, seen: Seen, reference: Reference | None) -> list[Alarm]:
        """Take the next document, change ``state``, and return the alarms that ring.

        Args:
            state: Empty before the first document; afterwards as the last call left it, perhaps saved and loaded.
            seen: The document.
            reference: What is usual; None where no detector of drift is active.
        """
