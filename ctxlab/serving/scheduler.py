"""Documents of many requests read in turn: each turn is one forward pass, filled up to a number of tokens.

One thread runs the model. Every document in the ring has one pass before any has its next one, so that a document of
100,000 tokens delays a short one by the pass that is running. Where several keys wait, the one whose documents had the
fewest tokens read since it came has the next pass. Documents are tokenised in threads of their own: one for long
bodies, and one for the others, which do not wait for those.
"""

import copy
import json
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from time import monotonic
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.types import Document
from ctxlab.data.encode import encode_now
from ctxlab.evaluation.answerer import Answer, Answerer
from ctxlab.runtime.pieces import Pieces, divide, run, together
from ctxlab.serving.observed import Observed, observe
from ctxlab.serving.record import documents
from ctxlab.serving.refusal import Refusal, without_text

log = logging.getLogger(__name__)

LONG_BYTES = 1 << 16
"""Bodies of at least this many bytes are tokenised by the thread for long ones."""

LOOKED_AT = 64
"""Documents among which those are chosen that share a pass."""

_DIVIDING = threading.Lock()
"""Held while a reading divides documents: some keep scores between documents."""

UNREADABLE = "The document is not one that task={task} reads: compare its fields and their types with docs/serving.md."

UNEXPECTED = "The server could not answer this document ({error}): the fault is not in the request."


@dataclass(eq=False)
class Ticket:
    """A record that was accepted."""

    fields: dict[str, Any]
    num_bytes: int
    key: str = ""
    """Whose it is; passes are shared fairly among keys."""
    watch: "Watch | None" = None
    """Called after each pass of a document, while no other pass runs."""
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

    def settle(self, error: Refusal | None = None) -> None:
        """Give the answers, or the reason why there are none."""
        with suppress(InvalidStateError):  # nobody waits any more
            if error is not None:
                self.done.set_exception(error)
            else:
                self.done.set_result([self.answers[place] for place in sorted(self.answers)])


@dataclass(eq=False)
class Turn:
    """A document in the ring."""

    ticket: Ticket
    place: int
    document: Document
    pieces: Pieces


Watch = Callable[[Turn], None]


class Scheduler:
    """Answers records in the order of their turns."""

    def __init__(self, answerer: Answerer, tokenizer: Any, max_waiting: int) -> None:
        """Store what answers documents.

        Args:
            answerer: Its reader is used by this scheduler alone.
            tokenizer: Copied for each thread, because a tokenizer serves one at a time.
            max_waiting: Records that may be without an answer at the same time.
        """
        self._answerer, self.tokenizer, self._max_waiting = answerer, tokenizer, max_waiting
        self._changed = threading.Condition()
        self._ring: list[Turn] = []
        self._tickets: set[Ticket] = set()
        self._closed = False
        self.answered = 0
        """Records that got an answer."""
        self.tokens_read = 0
        """Tokens of all passes."""
        self.busy_seconds = 0.0
        """Seconds of all passes."""
        self._spent: dict[str, int] = {}
        """Tokens that were read for each key in the ring, above those of the one that came last."""
        self._queues: tuple[SimpleQueue[Ticket | None], ...] = (SimpleQueue(), SimpleQueue())
        own = [_copy(answerer, tokenizer) for _ in self._queues]
        self._threads = [
            threading.Thread(target=self._prepare, args=pair, name=f"tokenise-{i}", daemon=True)
            for i, pair in enumerate(zip(self._queues, own, strict=True))
        ]
        self._threads.append(threading.Thread(target=self._read, name="model", daemon=True))

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads; what is still waiting is refused."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets:
                ticket.left = True
                ticket.settle(Refusal(503, "The server is stopping: send the document again to another one."))
            self._changed.notify_all()
        for queue in self._queues:
            queue.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self) -> int:
        """Return the number of records without an answer."""
        return len(self._tickets)

    def submit(
        self, records: Sequence[dict[str, Any]], num_bytes: int, key: str = "", watch: Watch | None = None
    ) -> list[Ticket]:
        """Accept records, all of them or none.

        Args:
            records: The records of a request.
            num_bytes: Size of each.
            key: Whose they are.
            watch: Called after each pass of one of their documents.

        Raises:
            Refusal: Too many are waiting.
        """
        with self._changed:
            if len(records) > self._max_waiting:
                raise Refusal(413, f"The request has more than {self._max_waiting} documents: send fewer at a time.")
            if self._closed or len(self._tickets) + len(records) > self._max_waiting:
                sentence = f"{len(self._tickets)} documents are waiting already: send this later."
                raise Refusal(429, sentence, {"Retry-After": "1"})
            tickets = [Ticket(fields, num_bytes, key, watch) for fields in records]
            self._tickets.update(tickets)
        for ticket in tickets:
            self._queues[num_bytes >= LONG_BYTES].put(ticket)
        return tickets

    def leave(self, ticket: Ticket) -> None:
        """Stop the work for a record that nobody waits for, if it has no answer."""
        if ticket.done.done():
            return
        with self._changed:
            ticket.left = True
            ticket.done.cancel()
            self._tickets.discard(ticket)
            self._ring = [turn for turn in self._ring if turn.ticket is not ticket]

    def _prepare(self, queue: "SimpleQueue[Ticket | None]", answerer: Answerer) -> None:
        """Tokenise records and put their documents into the ring, until the queue ends."""
        while (ticket := queue.get()) is not None:
            if ticket.left:
                continue
            try:
                turns = _turns(answerer, ticket)
            except Exception as error:
                self._settle(ticket, _refusal(error))
                continue
            with self._changed:
                ticket.open = len(turns)
                if not ticket.left:
                    self._spent.setdefault(ticket.key, min(self._spent.values(), default=0))
                    self._ring += turns
                self._changed.notify_all()

    def _read(self) -> None:
        """Run one pass after the other."""
        while self.turn():
            pass

    def turn(self) -> bool:
        """Wait for a document, and run one pass; returns False once the scheduler is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._ring or self._closed)
            if self._closed:
                return False
            turns = self._next()
        for turn in turns:
            turn.ticket.began = turn.ticket.began or monotonic()
        self._charge(turns)
        started = monotonic()
        self._run(turns)
        self.busy_seconds += monotonic() - started
        with self._changed:  # those that had their turn go to the end
            still = [turn for turn in turns if turn.pieces.passes and not turn.ticket.left]
            self._ring = [*(turn for turn in self._ring if turn not in turns), *still]
            there = {turn.ticket.key for turn in self._ring}
            self._spent = {key: tokens for key, tokens in self._spent.items() if key in there}
        for turn in turns:
            if turn.ticket.watch and not turn.ticket.left:
                turn.ticket.watch(turn)
            if not turn.pieces.passes and not turn.ticket.left:
                self._finish(turn)
        return True

    def _next(self) -> list[Turn]:
        """Return the documents of the next pass; one without any pass left is alone."""
        first = min(self._ring, key=lambda turn: self._spent.get(turn.ticket.key, 0))  # of these the first in the ring
        if not first.pieces.passes:
            return [first]
        others = [turn for turn in self._ring if turn is not first]
        by_pieces = {turn.pieces: turn for turn in (first, *others[:LOOKED_AT]) if turn.pieces.passes}
        _, *rest = by_pieces
        return [by_pieces[one] for one in together(self._answerer.reader, first.pieces, rest)]

    def _charge(self, turns: Sequence[Turn]) -> None:
        """Count the tokens of the next pass of these documents."""
        for turn in (turn for turn in turns if turn.pieces.passes):
            self.tokens_read += turn.pieces.tokens
            self._spent[turn.ticket.key] = self._spent.get(turn.ticket.key, 0) + turn.pieces.tokens

    def _run(self, turns: Sequence[Turn]) -> None:
        """Run the next pass of these documents; if it fails, of each alone, so that one does not fail another."""
        if not turns[0].pieces.passes:
            return
        try:
            run(self._answerer.reader, [turn.pieces for turn in turns])
        except Exception as error:
            if len(turns) == 1:
                turns[0].ticket.left = True
                self._settle(turns[0].ticket, _refusal(error, 413))
                return
            failed = True
        else:
            failed = False
        if failed:  # outside of the handler: the error holds the tensors of the pass
            for turn in turns:
                self._run([turn])

    def _finish(self, turn: Turn) -> None:
        ticket, answerer = turn.ticket, self._answerer
        try:
            merged = turn.pieces.merged(answerer.reader)
            ticket.answers[turn.place] = answerer.answer(turn.document, turn.pieces.encoded, merged)
            ticket.observed.append(observe(answerer.task, turn.document, turn.pieces.encoded, merged))
        except Exception as error:
            ticket.left = True
            self._settle(ticket, _refusal(error))
            return
        finally:
            answerer.task.notes.clear()
        ticket.open -= 1
        if not ticket.open:
            self.answered += 1
            self._settle(ticket)

    def _settle(self, ticket: Ticket, error: Refusal | None = None) -> None:
        with self._changed:
            self._tickets.discard(ticket)
            self._ring = [turn for turn in self._ring if turn.ticket is not ticket]
            ticket.settle(error)


def _copy(answerer: Answerer, tokenizer: Any) -> Answerer:
    """Return an answerer for a thread that tokenises; it writes no document into the cache."""
    task, own = copy.deepcopy((answerer.task, tokenizer))
    return replace(answerer, task=task, encode=lambda found: encode_now(task, found, own)[0])


def _turns(answerer: Answerer, ticket: Ticket) -> list[Turn]:
    """Return the documents of a record.

    Raises:
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
    with _DIVIDING:
        pieces = [divide(answerer.reader, tokens) for tokens in encoded]
    return [Turn(ticket, i, *pair) for i, pair in enumerate(zip(found, pieces, strict=True))]


def _refusal(error: Exception, status: int = 422) -> Refusal:
    """Return what to answer after an error; the log names its type only, as its text may quote the document."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, UserError):
        return Refusal(status, without_text(str(error), ()))
    log.error("A document could not be answered: %s.", type(error).__name__)
    return Refusal(500, UNEXPECTED.format(error=type(error).__name__))


def written(content: Any) -> bytes:
    """Return JSON as ``ctxlab predict`` writes it, except that numbers that JSON lacks become null."""
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return json.dumps(_finite(content), ensure_ascii=False, allow_nan=False).encode()


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and content - content != 0 else content
