"""Threads that turn what was read into answers, beside the thread of the model: one for long bodies, one for others.

To merge and decode a document of 100,000 tokens takes as long as several passes, in which nobody should have to wait.
"""

import copy
import threading
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue

from ctxlab.evaluation.answerer import Answerer
from ctxlab.serving.explaining import Explained
from ctxlab.serving.observed import observe
from ctxlab.serving.ticket import Read, Ticket, Turn

Work = tuple[Turn, bool]
"""A document, and whether all of it was read."""


class Ending:
    """The two threads."""

    def __init__(
        self,
        answerer: Answerer,
        done: Callable[[Ticket], None],
        failed: Callable[[Ticket, Exception], None],
    ) -> None:
        """Store what the threads need.

        Args:
            answerer: Decodes; its task is copied for each thread.
            done: Called with a record all of whose documents have an answer.
            failed: Called with why a record has none.
        """
        self._answerer, self._done, self._failed = answerer, done, failed
        self._queues: tuple[SimpleQueue[Work | None], ...] = (SimpleQueue(), SimpleQueue())
        self._own = [replace(answerer, task=copy.deepcopy(answerer.task)) for _ in self._queues]
        self._threads = [
            threading.Thread(target=self._work, args=pair, name=f"end-{i}", daemon=True)
            for i, pair in enumerate(zip(self._queues, self._own, strict=True))
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End the threads."""
        for queue in self._queues:
            queue.put(None)
        for thread in self._threads:
            thread.join()

    def put(self, turn: Turn, *, is_last: bool) -> None:
        """Take a document after a pass."""
        self._queues[turn.ticket.is_long].put((turn, is_last))

    def drain(self) -> None:
        """Do what waits in this thread, for use without threads."""
        for queue, answerer in zip(self._queues, self._own, strict=True):
            while not queue.empty():
                if (work := queue.get()) is not None:
                    self._do(answerer, *work)

    def _work(self, queue: "SimpleQueue[Work | None]", answerer: Answerer) -> None:
        while (work := queue.get()) is not None:
            self._do(answerer, *work)

    def _do(self, answerer: Answerer, turn: Turn, is_last: bool) -> None:
        ticket = turn.ticket
        if ticket.left:
            return
        try:
            if is_last:
                _finish(answerer, turn)
            elif ticket.watch is not None and isinstance(turn, Read):
                ticket.watch(turn)
        except Exception as error:
            self._failed(ticket, error)
            return
        finally:
            answerer.task.notes.clear()
        if is_last and not ticket.open:
            self._done(ticket)


def _finish(answerer: Answerer, turn: Turn) -> None:
    """Note the answer for a document all of whose passes were run.

    Raises:
        Exception: It has none.
    """
    ticket = turn.ticket
    if isinstance(turn, Explained):
        if turn.error is not None:
            raise turn.error
        assert turn.answer is not None
        ticket.answers[turn.place] = turn.answer
    elif isinstance(turn, Read):
        if ticket.watch is not None:
            ticket.watch(turn)
        pieces = turn.pieces
        merged = pieces.merged(answerer.reader)
        ticket.answers[turn.place] = answerer.answer(turn.document, pieces.encoded, merged)
        ticket.observed.append(observe(answerer.task, turn.document, pieces.encoded, merged))
    ticket.open -= 1
