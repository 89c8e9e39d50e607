"""An explanation that takes turns with other documents.

Mechanisms are written as one piece and run the model many times. Here one runs in a thread of its own, which waits
before each forward pass until it has its turn, and while it runs the thread of the model waits. So at no time do two
passes run, and between the passes of an explanation others are served.
"""

import threading

from ctxlab.core.types import Document, Encoded, Merged
from ctxlab.evaluation.answerer import Answer
from ctxlab.runtime.pieces import divide, run
from ctxlab.runtime.reader import Reader
from ctxlab.serving.ticket import Ticket, Turn
from ctxlab.serving.why import Why


class _GivenUp(BaseException):
    """Ends the thread of an explanation that nobody waits for."""


class Explained(Turn):
    """A document that is explained, one pass in each turn."""

    def __init__(
        self, ticket: Ticket, place: int, document: Document, *, encoded: Encoded, why: Why, wanted: str, reader: Reader
    ) -> None:
        """Take what is explained; nothing runs yet.

        Args:
            ticket: The record.
            place: Place of the document among those of the record.
            document: The document.
            encoded: Its tokens.
            why: What is asked.
            wanted: The part of the answer; empty for all.
            reader: Reads it.
        """
        super().__init__(ticket, place, document)
        self._encoded, self._mechanism, self._wanted, self._reader = encoded, why.mechanism, wanted, reader
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._closes = self._ended = False
        self._tokens = 0
        self.answer: Answer | None = None
        self.error: Exception | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the pass that it waits for."""
        return self._tokens

    @property
    def has_ended(self) -> bool:
        """Whether it is explained, or failed."""
        return self._ended

    def step(self) -> None:
        """Run its next pass, up to the beginning of the one after it; the first time only up to its first pass."""
        self.ticket.tokens_run += self._tokens
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="explain", daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._paused.acquire()

    def close(self) -> None:
        """End the thread, which undoes what it changed."""
        if self._thread is None or self._ended:
            return
        self._closes = True
        self._go.release()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.answer = self._mechanism.explain(
                self.document, self._encoded, read=self._read, pause=self._pause, wanted=self._wanted
            )
        except _GivenUp:
            pass
        except Exception as error:
            self.error = error.with_traceback(None)  # which holds the tensors of the pass
        finally:
            self._ended, self._tokens = True, 0
            self._paused.release()

    def _pause(self, tokens: int) -> None:
        """Wait for the next turn."""
        self._tokens = tokens
        self._paused.release()
        self._go.acquire()
        if self._closes:
            raise _GivenUp

    def _read(self, encoded: Encoded) -> Merged:
        """Read the document as it is read to be answered."""
        pieces = divide(self._reader, encoded)
        while pieces.passes:
            self._pause(pieces.tokens)
            run(self._reader, [pieces])
        return pieces.merged(self._reader)
