"""A worker: a process with the model, which answers what the server sends it over a socket.

Bodies are parsed and tokenised here, so that nothing of a document keeps the server from answering other requests.
"""

import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.evaluation.answerer import Answer, Answerer
from ctxlab.serving import protocol, why
from ctxlab.serving.body import parse
from ctxlab.serving.frames import Frame, packed, received
from ctxlab.serving.observed import figures
from ctxlab.serving.progress import Progress
from ctxlab.serving.refusal import Refusal, without_text
from ctxlab.serving.scheduler import Scheduler
from ctxlab.serving.settings import Limits, Served
from ctxlab.serving.ticket import LONG_BYTES, Read, Ticket, Watch
from ctxlab.serving.why import Mechanisms
from ctxlab.serving.written import written

DOCUMENT, SEVERAL, STREAM, EXPLAIN = "document", "several", "stream", "explain"
"""Kinds of requests: a record, a tensor of records, a record of which each window is told, and one to be explained."""

SWITCH_SECONDS = 0.001
"""Seconds that a thread of Python may compute while another waits. The thread of the model waits after each of its
operations, so that with Python's own 0.005 a window takes twice as long while a document is tokenised."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What a worker answers with."""

    answerer: Answerer
    tokenizer: Any
    served: Served
    mechanisms: Mechanisms
    """What explains documents."""


def work(path: str, number: int, opening: Callable[[], Opened], limits: Limits) -> None:
    """Open the model, and answer until the server closes the connection or is gone.

    Args:
        path: Socket of the server.
        number: Number of the worker, for the server.
        opening: Opens the model.
        limits: What a client may ask for.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(packed({"what": "hello", "number": number, "pid": os.getpid()}))
        try:
            opened = opening()
        except Exception as error:
            is_mistake = isinstance(error, UserError)
            said = str(error) if is_mistake else traceback.format_exc()
            connection.sendall(packed({"what": "failed", "is_mistake": is_mistake, "said": said}))
            return
        Desk(connection, opened, limits).serve()


@dataclass(eq=False)
class _Asked:
    """A request."""

    number: int
    kind: str
    key: str
    started: float
    is_long: bool
    tickets: list[Ticket] = field(default_factory=list)
    request: Mapping[str, Any] = field(default_factory=dict)
    """The body, of a tensor of records."""
    open: int = 0
    has_left: bool = False


class Desk:
    """Answers the requests of one connection."""

    def __init__(self, connection: socket.socket, opened: Opened, limits: Limits) -> None:
        self._connection, self._opened, self._limits = connection, opened, limits
        self._scheduler = Scheduler(opened.answerer, opened.tokenizer, limits.max_waiting)
        self._sending, self._changing = threading.Lock(), threading.Lock()
        self._asked: dict[int, _Asked] = {}
        self._bodies: tuple[SimpleQueue[tuple[_Asked, bytes]], ...] = (SimpleQueue(), SimpleQueue())
        self._answered: tuple[SimpleQueue[_Asked], ...] = (SimpleQueue(), SimpleQueue())

    def serve(self) -> None:
        """Answer until the connection ends."""
        self._scheduler.start()
        for queue in self._bodies:
            threading.Thread(target=self._accept, args=(queue,), daemon=True).start()
        for ended in self._answered:  # JSON of a long answer is written at once
            threading.Thread(target=self._answer, args=(ended,), daemon=True).start()
        served, labels = self._opened.served.plain(), list(self._opened.answerer.task.labels)
        self._send({"what": "ready", "served": served, "labels": labels})
        with self._connection.makefile("rb") as file:
            while (frame := received(file)) is not None:
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        header = frame.header
        if header["what"] == "leave":
            self._leave(header["number"])
            return
        is_long = len(frame.body) >= LONG_BYTES
        asked = _Asked(header["number"], header["kind"], header["key"], started=header["started"], is_long=is_long)
        self._asked[asked.number] = asked
        self._bodies[is_long].put((asked, frame.body))

    def _leave(self, number: int) -> None:
        asked = self._asked.pop(number, None)
        if asked is None:
            return
        with self._changing:
            asked.has_left = True
            tickets = list(asked.tickets)
        for ticket in tickets:
            self._scheduler.leave(ticket)

    def _accept(self, queue: "SimpleQueue[tuple[_Asked, bytes]]") -> None:
        """Parse bodies, one after the other."""
        while True:
            asked, body = queue.get()
            if asked.has_left:
                continue
            try:
                self._submit(asked, body)
            except Refusal as refusal:
                self._refuse(asked, refusal)
            except UserError as error:
                self._refuse(asked, Refusal(422, without_text(str(error), ())))

    def _submit(self, asked: _Asked, body: bytes) -> None:
        found, reason = parse(body), None
        if asked.kind == EXPLAIN:
            found, name, wanted = why.asked(found)
            reason = why.Why(self._opened.mechanisms(name), wanted)
        records = protocol.records(found) if asked.kind == SEVERAL else [found]
        self._check_size(records)
        asked.request, asked.open = (found if asked.kind == SEVERAL else {}), len(records)
        watch = self._watch(asked) if asked.kind == STREAM else None
        tickets = self._scheduler.submit(records, len(body) // len(records), asked.key, watch=watch, why=reason)
        with self._changing:
            asked.tickets, has_left = tickets, asked.has_left
        for ticket in tickets:
            if has_left:
                self._scheduler.leave(ticket)
            ticket.done.add_done_callback(lambda done: self._count(asked, done))

    def _check_size(self, records: list[dict[str, Any]]) -> None:
        if sum(map(characters, records)) > self._limits.max_characters:
            limit = f"{self._limits.max_characters:,} characters: the server allows more with serve.max_characters=."
            raise Refusal(413, f"The documents of the request have more than {limit}")

    def _watch(self, asked: _Asked) -> Watch:
        told: dict[int, Progress] = {}

        def watch(turn: Read) -> None:
            progress = told.setdefault(turn.place, Progress(self._opened.answerer))
            for line in progress.lines(turn):
                self._send({"what": "line", "number": asked.number}, written(line))

        return watch

    def _count(self, asked: _Asked, done: "Future[list[Answer]]") -> None:
        """Note that a record is done; one that is refused refuses the request."""
        with self._changing:
            asked.open -= 1
            ended = not asked.open
        if ended or (not done.cancelled() and done.exception() is not None):
            self._answered[asked.is_long].put(asked)

    def _answer(self, queue: "SimpleQueue[_Asked]") -> None:
        """Send answers, one after the other."""
        while True:
            asked = queue.get()
            if asked.has_left or asked.number not in self._asked:
                continue
            refusal = next(filter(None, map(_refusal, asked.tickets)), None)
            if refusal is not None:
                self._refuse(asked, refusal)
                for ticket in asked.tickets:
                    self._scheduler.leave(ticket)
                continue
            try:
                found = [ticket.done.result(0) for ticket in asked.tickets]
            except CancelledError:  # the client left meanwhile
                continue
            seen = [one for ticket in asked.tickets for one in ticket.observed]
            counted = figures([answer for each in found for answer in each], seen)
            spent = sum(ticket.tokens_run for ticket in asked.tickets)
            more = {"figures": counted, "waiting": _waiting(asked), "tokens_run": spent}
            self._end(asked, 200, more, self._said(asked, found))

    def _said(self, asked: _Asked, found: list[list[Answer]]) -> bytes:
        served = self._opened.served
        if asked.kind == SEVERAL:
            answers = [written(_plain(each)) for each in found]
            return written(protocol.answer(served.run, served.checkpoint, asked.request, answers))
        timing = {"seconds": time.monotonic() - asked.started, "waiting_seconds": _waiting(asked)}
        content = _lines(found[0]) if asked.kind == EXPLAIN else _plain(found[0])
        return written({**content, "model": served.plain(), "timing": timing})

    def _refuse(self, asked: _Asked, refusal: Refusal) -> None:
        self._end(asked, refusal.status, {"headers": refusal.headers}, written({"error": refusal.sentence}))

    def _end(self, asked: _Asked, status: int, more: Mapping[str, Any], body: bytes) -> None:
        if self._asked.pop(asked.number, None) is None:
            return
        done = {"tokens_read": self._scheduler.tokens_read, "busy_seconds": self._scheduler.busy_seconds}
        self._send({"what": "answer", "number": asked.number, "status": status, **done, **more}, body)

    def _send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        try:
            with self._sending:
                self._connection.sendall(packed(header, body))
        except OSError:  # the server is gone, which the reading end of the connection sees too
            return


def _plain(found: list[Answer]) -> dict[str, Any]:
    """Return record and coverage; where a record has several questions, these for each of them."""
    each = [{"record": answer.record, "coverage": answer.coverage.plain()} for answer in found]
    return each[0] if len(each) == 1 else {"answers": each}


def _lines(found: list[Answer]) -> dict[str, Any]:
    """Return the line of ``ctxlab explain``; where a record has several questions, these for each of them."""
    return found[0].record if len(found) == 1 else {"answers": [answer.record for answer in found]}


def _refusal(ticket: Ticket) -> Refusal | None:
    """Return why a record is refused, if it is."""
    if not ticket.done.done() or ticket.done.cancelled():
        return None
    error = ticket.done.exception()
    return error if isinstance(error, Refusal) else None


def _waiting(asked: _Asked) -> float:
    """Return the seconds that the first document waited for a pass."""
    first = asked.tickets[0]
    return max(first.began - first.accepted, 0.0)


def characters(value: Any) -> int:
    """Return the characters of all texts in a value of JSON; names of fields do not count."""
    found, left = 0, [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            found += len(one)
        elif isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list):
            left += one
    return found
