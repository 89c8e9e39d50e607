"""Protocol of data sources: raw records of a split, each with its origin."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component


@dataclass(frozen=True, slots=True)
class Record:
    """One document as a source returned it, not yet checked by a task."""

    fields: dict[str, Any]
    origin: str
    """Where it comes from, for messages: ``train.jsonl line 3``."""


class Source(Component, ABC):
    """A data source; each is one file under ``ctxlab/data/sources``."""

    invented: bool
    """Whether its documents are generated, so that scores on them say nothing about the user's own documents."""
    notes: list[str]
    """Choices that ``load`` made where the user gave none, one sentence each, for the report."""

    @abstractmethod
    def load(self, task_name: str, split: str, seed: int) -> list[Record] | None:
        """Return the records of ``train``, ``validation`` or ``test``, or None if the source has no such split.

        Every record has an ``id`` (text) that is unique in the split. Raises UserError naming the file.
        """
