"""What a data source owes the rest: raw records of a split, each with its place."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component


@dataclass(frozen=True, slots=True)
class Record:
    """One document as a source gave it, not checked by any task yet."""

    fields: dict[str, Any]
    origin: str
    """Where it comes from, for messages: ``train.jsonl line 3``."""


class Source(Component, ABC):
    """One file under ``ctxlab/data/sources`` a source."""

    invented: bool
    """Whether its documents are made up, so that they say nothing of the user's own."""
    notes: list[str]
    """What ``load`` decided in the user's stead, a sentence each, for the report."""

    @abstractmethod
    def load(self, task_name: str, split: str, seed: int) -> list[Record] | None:
        """Records of ``train``, ``validation`` or ``test``, or None where the source has no such split.

        Every record has an ``id`` (text) that no other record of the split has. Raises UserError naming the file.
        """
