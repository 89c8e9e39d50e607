"""Signals that stop a run: at once where nothing would be lost, else after what is being written.

``SIGTERM`` comes from a cluster that needs the machine, ``SIGINT`` from Ctrl-C, ``SIGUSR1`` from a scheduler that warns
before the time limit and starts the job again.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ctxlab.core.errors import Interrupted

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopRequest:
    """Set by the first signal; whoever listens ends at the next place where nothing is lost."""

    signal_number: int | None = None

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.signal_number is not None:  # a second signal does not wait
            raise Interrupted(self.signal_number)
        self.signal_number = number

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Note signals until the end of the block; the second one raises Interrupted at once."""
        with _handled(self._receive):
            yield self


@contextmanager
def raising() -> Iterator[None]:
    """Raise Interrupted at once when a signal comes, until the end of the block: for work that is easily repeated."""

    def receive(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    with _handled(receive):
        yield


@contextmanager
def held() -> Iterator[None]:
    """Let signals wait until the end of the block: for things that belong together.

    They are received and kept: blocking them in this thread would leave them to the threads of libraries, after which
    Python handles them here at once.
    """
    waiting: list[int] = []
    try:
        with _handled(lambda number, _: waiting.append(number)):
            yield
    finally:
        for number in waiting:
            signal.raise_signal(number)


@contextmanager
def _handled(receive: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle signals by ``receive`` until the end of the block, then as before; ignored ones stay ignored."""
    former = {}
    try:
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as in a job that a shell started in the background
                former[number] = signal.signal(number, receive)
    except ValueError:  # not the main thread, which alone can handle signals
        pass
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
