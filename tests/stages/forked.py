"""Trials and cells as forks of the test process, which has loaded all libraries: a second instead of ten."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from ctxlab.cli import main


class Forked:
    """Stands in for the result of ``process.start``, with the command in a fork."""

    def __init__(self, words, log: Path, env) -> None:
        log.parent.mkdir(exist_ok=True)
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_run, args=(words, log))
        self._process.start()

    def poll(self) -> int | None:
        return None if self._process.is_alive() else self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> None:
        self._process.join()


def _run(words, log: Path) -> None:
    with log.open("a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    status = main(words)
    sys.stdout.flush()
    os._exit(status)
