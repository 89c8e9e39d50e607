"""Signals that stop a run: at once where nothing would be lost, else after what is being written.

``SIGTERM`` comes from a cluster that needs the machine, ``SIGINT`` from Ctrl-C, ``SIGUSR1`` from a scheduler that warns
before the time limit and starts the job again.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ctxlab.core.errors import Interrupted

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


_swallowed: list[list[int]] = []
"""Signals for which each block of ``raising`` raised Interrupted, the innermost last: libraries may swallow it."""


class StopRequest:
    """Set by the first signal; whoever listens ends at the next place where nothing is lost."""

    signal_number: int | None = None
    is_urgent = False
    """Whether a second signal came, where it does not raise."""

    def __init__(self, *, raises_again: bool = True) -> None:
        """Take whether a second signal raises Interrupted at once; asyncio swallows that in its callbacks."""
        self._raises_again = raises_again

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.signal_number is None:
            self.signal_number = number
        elif self._raises_again:  # a second signal does not wait
            raise Interrupted(self.signal_number)
        else:
            self.is_urgent = True

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Note signals until the end of the block; the second one raises Interrupted at once.

        A signal that was swallowed within a block of ``raising`` around this one counts as received.
        """
        with _handled(self._receive):
            if _swallowed and _swallowed[-1] and self.signal_number is None:
                self.signal_number = _swallowed[-1].pop()
            yield self


@contextmanager
def raising() -> Iterator[None]:
    """Raise Interrupted at once when a signal comes, until the end of the block: for work that is easily repeated.

    Some libraries swallow or replace whatever is raised while they are imported, and Python does so where an object is
    deleted. Then the block ends with Interrupted at its end, or where it fails.
    """
    came: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        raise Interrupted(number)

    is_main = threading.current_thread() is threading.main_thread()
    with _handled(receive):
        if is_main:
            _swallowed.append(came)
        try:
            yield
        except Exception as error:
            if came:
                raise Interrupted(came[0]) from error
            raise
        finally:
            if is_main:
                _swallowed.pop()
        if came:
            raise Interrupted(came[0])


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
