"""Documents of many requests read in turn: each turn is one forward pass, filled up to a number of tokens.

One thread runs the model. Every document in the ring has one pass before any has its next one, so that a document of
100,000 tokens delays a short one by the pass that is running. Where several keys wait, the one whose documents had the
fewest tokens read since it came has the next pass. Documents are tokenised, and answers made, in threads of their own.
"""

import logging
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.evaluation.answerer import Answerer
from ctxlab.runtime.pieces import run
from ctxlab.serving.ending import Ending
from ctxlab.serving.explaining import Explained
from ctxlab.serving.refusal import Refusal, without_text
from ctxlab.serving.ring import Ring
from ctxlab.serving.ticket import Read, Ticket, Turn, Watch
from ctxlab.serving.tokenising import DIVIDING, Tokenising
from ctxlab.serving.why import Why

log = logging.getLogger(__name__)

UNEXPECTED = "The server could not answer this document ({error}): the fault is not in the request."


class Scheduler:
    """Answers records in the order of their turns."""

    def __init__(self, answerer: Answerer, tokenizer: Any, max_waiting: int) -> None:
        """Store what answers documents.

        Args:
            answerer: Its reader is used by this scheduler alone.
            tokenizer: As the task was prepared with.
            max_waiting: Records that may be without an answer at the same time.
        """
        self._reader, self._max_waiting = answerer.reader, max_waiting
        self._changed = threading.Condition()
        self._ring = Ring()
        self._tickets: set[Ticket] = set()
        self._closed = False
        self.answered = 0
        """Records that got an answer."""
        self.tokens_read = 0
        """Tokens of all passes."""
        self.busy_seconds = 0.0
        """Seconds of all passes."""
        self.tokenising = Tokenising(answerer, tokenizer, ready=self._ready, failed=self._failed)
        self.ending = Ending(answerer, done=self._done, failed=self._failed)
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self.tokenising.start()
        self.ending.start()
        self._thread.start()

    def close(self) -> None:
        """End the threads; what is still waiting is refused."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets:
                ticket.left = True
                ticket.settle(Refusal(503, "The server is stopping: send the document again to another one."))
            self._changed.notify_all()
        self.tokenising.end()
        self._thread.join()
        self.ending.end()

    @property
    def waiting(self) -> int:
        """Return the number of records without an answer."""
        return len(self._tickets)

    def submit(
        self,
        records: Sequence[dict[str, Any]],
        num_bytes: int,
        key: str = "",
        *,
        watch: Watch | None = None,
        why: Why | None = None,
    ) -> list[Ticket]:
        """Accept records, all of them or none.

        Args:
            records: The records of a request.
            num_bytes: Size of each.
            key: Whose they are.
            watch: Called after each pass of one of their documents.
            why: How the answers are to be explained, if they are.

        Raises:
            Refusal: Too many are waiting.
        """
        with self._changed:
            if len(records) > self._max_waiting:
                raise Refusal(413, f"The request has more than {self._max_waiting} documents: send fewer at a time.")
            if self._closed or len(self._tickets) + len(records) > self._max_waiting:
                sentence = f"{len(self._tickets)} documents are waiting already: send this later."
                raise Refusal(429, sentence, {"Retry-After": "1"})
            tickets = [Ticket(fields, num_bytes, key=key, watch=watch, why=why) for fields in records]
            self._tickets.update(tickets)
        for ticket in tickets:
            self.tokenising.put(ticket)
        return tickets

    def leave(self, ticket: Ticket) -> None:
        """Stop the work for a record that nobody waits for, if it has no answer."""
        if ticket.done.done():
            return
        with self._changed:
            ticket.left = True
            ticket.done.cancel()
            self._tickets.discard(ticket)
            self._ring.remove(ticket)
            self._changed.notify_all()

    def _ready(self, ticket: Ticket, turns: Sequence[Turn]) -> None:
        """Put the documents of a record into the ring."""
        with self._changed:
            ticket.open = len(turns)
            if not ticket.left:
                self._ring.add(turns, ticket.key)
            self._changed.notify_all()

    def _run(self) -> None:
        """Run one pass after the other."""
        while self.turn():
            pass

    def turn(self) -> bool:
        """Wait for a document, and run one pass; returns False once the scheduler is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._ring or self._closed)
            if self._closed:
                for ticket in self._tickets:
                    self._ring.remove(ticket)
            given_up, turns = self._ring.given_up(), self._ring.next(self._reader)
            self.tokens_read += self._ring.charge(turns)
        for turn in given_up:
            turn.close()
        if self._closed:
            return False
        if turns:
            self._pass(turns)
        return True

    def _pass(self, turns: Sequence[Turn]) -> None:
        """Run the next pass of these documents."""
        for turn in turns:
            turn.ticket.began = turn.ticket.began or monotonic()
        started = monotonic()
        self._read(turns)
        self.busy_seconds += monotonic() - started
        with self._changed:
            self._ring.after(turns)
        for turn in (turn for turn in turns if not turn.ticket.left):
            if turn.has_ended:
                self.ending.put(turn, is_last=True)
            elif turn.ticket.watch is not None and isinstance(turn, Read):
                self.ending.put(turn.so_far(), is_last=False)

    def _read(self, turns: Sequence[Turn]) -> None:
        """Run the next pass of these documents; if it fails, of each alone, so that one does not fail another."""
        first = turns[0]
        if isinstance(first, Explained):
            with DIVIDING:
                first.step()
            return
        read = [turn.pieces for turn in turns if isinstance(turn, Read) and not turn.has_ended]
        if not read:
            return
        try:
            run(self._reader, read)
        except Exception as error:
            if len(turns) == 1:
                self._failed(first.ticket, error, 413)
                return
            failed = True
        else:
            failed = False
        if failed:  # outside of the handler: the error holds the tensors of the pass
            for turn in turns:
                self._read([turn])

    def _done(self, ticket: Ticket) -> None:
        self.answered += 1
        self._settle(ticket)

    def _failed(self, ticket: Ticket, error: Exception, status: int = 422) -> None:
        ticket.left = True
        self._settle(ticket, _refusal(error, status))

    def _settle(self, ticket: Ticket, error: Refusal | None = None) -> None:
        with self._changed:
            self._tickets.discard(ticket)
            self._ring.remove(ticket)
            ticket.settle(error)
            self._changed.notify_all()


def _refusal(error: Exception, status: int) -> Refusal:
    """Return what to answer after an error; the log names its type only, as its text may quote the document."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, UserError):
        return Refusal(status, without_text(str(error), ()))
    log.error("A document could not be answered: %s.", type(error).__name__)
    return Refusal(500, UNEXPECTED.format(error=type(error).__name__))
