"""Threads that turn records into documents that can take turns: one for long bodies, and one for the others."""

import copy
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document, Encoded
from ctxlab.data.encode import encode_now
from ctxlab.evaluation.answerer import Answerer
from ctxlab.runtime.pieces import divide
from ctxlab.serving.explaining import Explained
from ctxlab.serving.record import documents
from ctxlab.serving.refusal import Refusal
from ctxlab.serving.ticket import Read, Ticket, Turn

log = logging.getLogger(__name__)

DIVIDING = threading.Lock()
"""Held while a reading divides documents, some of which keep scores between documents, and while one is explained."""

UNREADABLE = "The document is not one that task={task} reads: compare its fields and their types with docs/serving.md."


class Tokenising:
    """The two threads."""

    def __init__(
        self,
        answerer: Answerer,
        tokenizer: Any,
        ready: Callable[[Ticket, Sequence[Turn]], None],
        failed: Callable[[Ticket, Exception], None],
    ) -> None:
        """Store what the threads need.

        Args:
            answerer: Parses and encodes.
            tokenizer: Copied for each thread, because a tokenizer serves one at a time.
            ready: Called with the documents of a record.
            failed: Called with why a record cannot be read.
        """
        self._answerer, self._tokenizer, self._ready, self._failed = answerer, tokenizer, ready, failed
        self._queues: tuple[SimpleQueue[Ticket | None], ...] = (SimpleQueue(), SimpleQueue())
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for number, queue in enumerate(self._queues):
            own = for_thread(self._answerer, self._tokenizer)
            self._threads.append(
                threading.Thread(target=self.work, args=(queue, own), name=f"tokenise-{number}", daemon=True)
            )
            self._threads[-1].start()

    def end(self) -> None:
        """End the threads."""
        for queue in self._queues:
            queue.put(None)
        for thread in self._threads:
            thread.join()

    def put(self, ticket: Ticket) -> None:
        """Take a record."""
        self._queues[ticket.is_long].put(ticket)

    def work(self, queue: "SimpleQueue[Ticket | None]", answerer: Answerer) -> None:
        """Tokenise records until the queue ends."""
        while (ticket := queue.get()) is not None:
            if ticket.left:
                continue
            try:
                turns = _turns(answerer, ticket)
            except Exception as error:
                self._failed(ticket, error)
            else:
                self._ready(ticket, turns)


def for_thread(answerer: Answerer, tokenizer: Any) -> Answerer:
    """Return an answerer for a thread that tokenises; it writes no document into the cache."""
    task, own = copy.deepcopy((answerer.task, tokenizer))
    return replace(answerer, task=task, encode=lambda found: encode_now(task, found, own)[0])


def _turns(answerer: Answerer, ticket: Ticket) -> list[Turn]:
    """Return the documents of a record.

    Raises:
        UserError: A document is too long to be explained.
        Refusal: The task cannot read it. What readers do not foresee (a list where a text should be) depends on the
            record alone, so it counts as the client's mistake; the log names the type of the error.
    """
    try:
        found = documents(answerer, ticket.fields)
        encoded = answerer.encode(found)
    except (Refusal, UserError, MemoryError):
        raise
    except Exception as error:
        log.warning("A document could not be read: %s.", type(error).__name__)
        raise Refusal(422, UNREADABLE.format(task=answerer.task.name)) from None
    chosen, wanted = _chosen(found, ticket)
    with DIVIDING:
        return [_turn(answerer, ticket, i, document=found[i], encoded=encoded[i], wanted=wanted) for i in chosen]


def _chosen(found: Sequence[Document], ticket: Ticket) -> tuple[Sequence[int], str]:
    """Return the documents that are asked about, a question by itself or by its id, and the part of their answers."""
    wanted = "" if ticket.why is None else ticket.why.wanted
    named = [i for i, one in enumerate(found) if wanted and wanted in (one.id, one.fields.get("question"))]
    return (named, "") if named else (range(len(found)), wanted)


def _turn(answerer: Answerer, ticket: Ticket, place: int, *, document: Document, encoded: Encoded, wanted: str) -> Turn:
    """Return one document.

    Args:
        answerer: Its reader divides it.
        ticket: The record.
        place: Place among the documents of the record.
        document: The document.
        encoded: Its tokens.
        wanted: The part of the answer that is explained.
    """
    if ticket.why is None:
        return Read(ticket, place, document, divide(answerer.reader, encoded))
    ticket.why.mechanism.check(document, encoded)
    return Explained(ticket, place, document, encoded=encoded, why=ticket.why, wanted=wanted, reader=answerer.reader)
