"""Running a cell or trial in a process of its own, with a given number of threads."""

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
from ctxlab.core.signals import StopRequest

POLL_SECONDS = 0.2

_DIE_WITH_PARENT = 1
"""``PR_SET_PDEATHSIG`` of Linux."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Environment variables from which libraries take their number of threads."""


def environment(num_threads: int) -> dict[str, str]:
    """Return this process's environment with a number of threads for each library."""
    return {**os.environ, **dict.fromkeys(THREADS, str(num_threads))}


def start(words: Sequence[str], log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``ctxlab <words>`` in a new process, which ends with a checkpoint if this one is killed.

    Args:
        words: Arguments after ``ctxlab``.
        log: File to which its output is appended.
        env: Environment of the process.
    """
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "ctxlab", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            process_group=0,  # Ctrl-C reaches only this process, which forwards it once
            preexec_fn=_end_with_parent(),
        )


def run(words: Sequence[str], log: Path, env: Mapping[str, str], tick: Callable[[], None]) -> int:
    """Run ``ctxlab <words>`` in a new process and return its exit status.

    A signal is forwarded, so that the cell saves a checkpoint before it ends; a second signal ends it at once.

    Args:
        words: Arguments after ``ctxlab``.
        log: File to which its output is appended.
        env: Environment of the process.
        tick: Called several times a second.

    Raises:
        Interrupted: A signal was received; the cell has ended.
    """
    with StopRequest().listening() as stop:
        process = start(words, log, env)
        try:
            _wait(process, stop, tick)
        except Interrupted:
            process.kill()
            process.wait()
            raise
    if stop.signal_number is not None:
        raise Interrupted(stop.signal_number, "Stopped")
    return process.returncode


def _wait(process: subprocess.Popen[bytes], stop: StopRequest, tick: Callable[[], None]) -> None:
    is_forwarded = False
    while process.poll() is None:
        if stop.signal_number is not None and not is_forwarded:
            is_forwarded = True
            with suppress(ProcessLookupError):
                process.send_signal(stop.signal_number)
        tick()
        time.sleep(POLL_SECONDS)


def _end_with_parent() -> Callable[[], None] | None:
    """Return a function that makes Linux stop the cell, with a checkpoint, if this process is killed; else None."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded before the fork
    return lambda: prctl(_DIE_WITH_PARENT, signal.SIGTERM)
