"""A cell in a process of its own, with a given number of threads."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ctxlab.core.errors import Interrupted
from ctxlab.training.faults import StopRequest

POLL_SECONDS = 0.2

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables by which libraries learn how many threads to use."""


def environment(num_threads: int) -> dict[str, str]:
    """That of this process, with a number of threads for each library."""
    return {**os.environ, **dict.fromkeys(THREADS, str(num_threads))}


def run(words: Sequence[str], log: Path, env: Mapping[str, str], tick: Callable[[], None]) -> int:
    """``ctxlab <words>`` in a fresh process, to its end; returns its exit status.

    A signal is passed on, so that the cell saves a checkpoint, and its end is waited for; a second one ends it at once.

    Args:
        words: After ``ctxlab``.
        log: File that what it prints is added to.
        env: Its environment.
        tick: Called several times a second.

    Raises:
        Interrupted: A signal came; the cell has ended.
    """
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as output, StopRequest().listening() as stop:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "ctxlab", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            process_group=0,  # Ctrl-C reaches this process alone, which passes it on once
            preexec_fn=_end_with_parent(),
        )
        try:
            _wait(process, stop, tick)
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise
    if stop.signal_number is not None:
        raise Interrupted(stop.signal_number, "Stopped")
    return process.returncode


def _wait(process: subprocess.Popen[bytes], stop: StopRequest, tick: Callable[[], None]) -> None:
    told = False
    while process.poll() is None:
        if stop.signal_number is not None and not told:
            told = True
            with suppress(ProcessLookupError):
                process.send_signal(stop.signal_number)
        tick()
        time.sleep(POLL_SECONDS)


def _end_with_parent() -> Callable[[], None] | None:
    """What makes the kernel end the cell, with a checkpoint, where this process is killed; None where it cannot."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded before the fork
    return lambda: prctl(_DIE_WITH_PARENT, signal.SIGTERM)
