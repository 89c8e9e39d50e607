"""A record that was accepted, and its documents as they take turns."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from ctxlab.core.types import Document
from ctxlab.evaluation.answerer import Answer
from ctxlab.runtime.pieces import Pieces
from ctxlab.serving.observed import Observed
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.why import Why

LONG_BYTES = 1 << 16
"""Bodies of at least this many bytes are tokenised and answered by threads of their own."""


@dataclass(eq=False)
class Ticket:
    """A record that was accepted."""

    fields: dict[str, Any]
    num_bytes: int
    key: str = ""
    """Whose it is; passes are shared fairly among keys."""
    watch: "Watch | None" = None
    """Called after each pass of a document."""
    why: Why | None = None
    """How its answer is to be explained; None if it is not."""
    accepted: float = field(default_factory=monotonic)
    began: float = 0.0
    """Time of its first forward pass."""
    done: Future[list[Answer]] = field(default_factory=Future)
    left: bool = False
    """Whether nobody waits for the answer any more, so that no further pass is run."""
    open: int = 0
    """Documents without an answer."""
    answers: dict[int, Answer] = field(default_factory=dict)
    observed: list[Observed] = field(default_factory=list)
    tokens_run: int = 0
    """Tokens of all passes that were run for it alone, as an explanation's are."""

    @property
    def is_long(self) -> bool:
        """Whether others should not wait while it is tokenised or answered."""
        return self.num_bytes >= LONG_BYTES

    def settle(self, error: Refusal | None = None) -> None:
        """Give the answers, or the reason why there are none."""
        with suppress(InvalidStateError):  # nobody waits any more
            if error is not None:
                self.done.set_exception(error)
            else:
                self.done.set_result([self.answers[place] for place in sorted(self.answers)])


class Turn(ABC):
    """A document in the ring: what is left to do for it is divided into forward passes."""

    def __init__(self, ticket: Ticket, place: int, document: Document) -> None:
        """Take the record that the document belongs to, and its place among the documents of the record."""
        self.ticket, self.place, self.document = ticket, place, document

    @property
    @abstractmethod
    def tokens(self) -> int:
        """Tokens of the next pass; 0 if that is not known."""

    @property
    @abstractmethod
    def has_ended(self) -> bool:
        """Whether no pass is left."""

    def close(self) -> None:  # noqa: B027  (most have nothing to undo)
        """Give up what was begun; called between passes, by the thread that runs them."""


class Read(Turn):
    """A document that is read to be answered; such documents share passes."""

    def __init__(self, ticket: Ticket, place: int, document: Document, pieces: Pieces) -> None:
        """Take the document in units.

        Args:
            ticket: The record that it belongs to.
            place: Its place among the documents of the record.
            document: The document.
            pieces: Its units, and the passes that are left.
        """
        super().__init__(ticket, place, document)
        self.pieces = pieces

    @property
    def tokens(self) -> int:
        """Tokens of the next pass, with its padding."""
        return self.pieces.tokens if self.pieces.passes else 0

    @property
    def has_ended(self) -> bool:
        """Whether all units were read."""
        return not self.pieces.passes

    def so_far(self) -> "Read":
        """Return the same with the results that there are now, which later passes do not change."""
        return Read(self.ticket, self.place, self.document, replace(self.pieces, results=dict(self.pieces.results)))


Watch = Callable[[Read], None]
