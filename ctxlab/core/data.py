"""Protocol of data sources: raw records of a split, each with its origin."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.privacy import Protection


@dataclass(frozen=True, slots=True)
class Record:
    """One document as a source returned it, not yet checked by a task."""

    fields: dict[str, Any]
    origin: str
    """Where it comes from, for messages: ``train.jsonl line 3``."""
    protection: Protection | None = None
    """What was replaced in it because it is personal; None where nothing was looked for."""


class RecordFile(ABC):
    """A file with more records than memory should hold: one or none in a line, read by number when it is needed."""

    name: str
    """Name of the file, for notes."""
    num_bytes: int
    """Size of its lines."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of its lines that are not empty."""

    @abstractmethod
    def read(self, numbers: Sequence[int], notes: list[str]) -> list[list[Record]]:
        """Return the records in each of these lines, in the given order; a line of another tool may have several.

        Every record has an ``id``: its own, or one from the number of its line. Whether ids differ is not checked.

        Args:
            numbers: Lines, from 0.
            notes: Receives a sentence for each choice that the reader made.

        Raises:
            UserError: A line cannot be read; names it. Or the file has changed since it was opened.
        """


class Source(Component, ABC):
    """A data source; each is one file under ``ctxlab/data/sources``."""

    invented: bool
    """Whether its documents are generated, so that scores on them say nothing about the user's own documents."""
    stages: Sequence[Any] | None = None
    """Corpora in sequence, a stage each, for ``continual=``: a text for a file, a folder or a hub id, a mapping for
    changes of the options; None for a single one."""
    notes: list[str]
    """Choices that ``load`` made where the user gave none, one sentence each, for the report."""

    @abstractmethod
    def load(self, task_name: str, split: str, seed: int) -> list[Record] | None:
        """Return the records of ``train``, ``validation`` or ``test``, or None if the source has no such split.

        Every record has an ``id`` (text) that is unique in the split. Raises UserError naming the file.
        """

    def stream(self, task_name: str, split: str) -> RecordFile | None:
        """Return the records of a split that is too large for ``load``; None where ``load`` is to return them."""
        del task_name, split
        return None
