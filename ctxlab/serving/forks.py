"""A process that makes the workers.

Workers are forks, which have all libraries loaded at once. The server itself cannot be forked safely, since it has
threads; so a process is forked from it before, which has one thread and never runs a model, and forks when it is asked.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from ctxlab.core.signals import STOPPING

NUMBER_BYTES = 4

END_SECONDS = 5.0
"""Seconds that workers have to end by themselves."""

LOOK_SECONDS = 0.5
"""Seconds between looks for workers that have ended."""


class Forks:
    """Makes processes that each call ``work`` with a number and end."""

    def __init__(self, work: Callable[[int], None], unneeded: Sequence[int]) -> None:
        """Fork the process that forks; this one must have a single thread.

        Args:
            work: Called in each of the processes.
            unneeded: File descriptors that they must not keep open, such as the socket of the server.
        """
        reading, self._writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        former = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            self._pid = os.fork()
            if not self._pid:
                _begin(reading, work, unneeded=(*unneeded, self._writing), mask=former)
        finally:
            os.close(reading)
            signal.pthread_sigmask(signal.SIG_SETMASK, former)

    def fork(self, number: int) -> None:
        """Start a process.

        Raises:
            OSError: The process that forks is gone.
        """
        os.write(self._writing, number.to_bytes(NUMBER_BYTES, "big"))

    def end(self) -> None:
        """Wait until all processes have ended."""
        os.close(self._writing)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _begin(
    reading: int, work: Callable[[int], None], unneeded: Sequence[int], mask: set[int | signal.Signals]
) -> NoReturn:
    """Be the process that forks; signals are blocked until it ignores them.

    Args:
        reading: End of the pipe with numbers.
        work: Called in each process.
        unneeded: File descriptors that are closed.
        mask: Signals that were blocked before.
    """
    status = 1
    try:
        for number in STOPPING:  # Ctrl-C reaches all processes of a terminal: the server decides when they end
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for one in unneeded:
            os.close(one)
        _forking(reading, work)
        status = 0
    finally:
        os._exit(status)


def _forking(asked: int, work: Callable[[int], None]) -> None:
    """Fork whenever a number comes, until the server closes the pipe or is gone."""
    running: set[int] = set()
    while True:
        running -= _ended(running)
        if not select.select([asked], [], [], LOOK_SECONDS)[0]:
            continue
        given = os.read(asked, NUMBER_BYTES)
        if len(given) < NUMBER_BYTES:
            break
        pid = os.fork()
        if not pid:
            status = 1
            try:
                os.close(asked)
                work(int.from_bytes(given, "big"))
                status = 0
            finally:
                os._exit(status)
        running.add(pid)
    deadline = time.monotonic() + END_SECONDS
    while running and time.monotonic() < deadline:
        running -= _ended(running)
        time.sleep(0.02)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _ended(running: set[int]) -> set[int]:
    return {pid for pid in running if os.waitpid(pid, os.WNOHANG)[0]}
