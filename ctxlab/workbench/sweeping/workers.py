"""Running the trials of a sweep, several at a time, each in a process of its own; a killed one is continued."""

import math
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ctxlab.core import run_state
from ctxlab.core.errors import CheckFailed, Interrupted, UserError
from ctxlab.core.result import FILE, Result
from ctxlab.core.run_state import State
from ctxlab.core.signals import StopRequest
from ctxlab.sweeping import command
from ctxlab.sweeping.objectives import SPLIT
from ctxlab.sweeping.study import Claimed, lock_of
from ctxlab.tracking.metrics_file import read_metrics
from ctxlab.training import checkpoint
from ctxlab.workbench.cells import process
from ctxlab.workbench.sweeping import failures
from ctxlab.workbench.sweeping.display import Display
from ctxlab.workbench.sweeping.progress import Progress, progress_of
from ctxlab.workbench.sweeping.session import Session

LOGS = "logs"
"""Folder of the trials' output in the sweep's directory."""

WATCH_SECONDS = 1.0
"""How often the scores of running trials are read."""


@dataclass(eq=False)
class Slot:
    """A worker and the trial that it works on."""

    claimed: Claimed
    running: subprocess.Popen[bytes] | None = None
    """Process of the trial; None before it starts."""
    num_kills: int = 0
    """How often the process was killed since its last checkpoint."""
    last: str | None = None
    """Checkpoint from which the process began."""
    is_told: bool = False
    """Whether the process was asked to end."""


def train(session: Session) -> None:
    """Run every missing trial.

    Raises:
        Interrupted: A signal was received; the message says how to continue.
        CheckFailed: The first trials all failed.
        UserError: A trial does not report an objective.
    """
    workers = Workers(session)
    with Display(session) as shown:
        workers.run(shown.update)


class Workers:
    """The workers of one command; all run in this process, and their trials in others."""

    def __init__(self, session: Session) -> None:
        self._session, self._study = session, session.study
        self._slots: list[Slot] = []
        self._deadline = time.monotonic() + (session.settings.timeout or math.inf)
        self._is_full = False
        """Whether there was nothing to claim when a worker last asked."""
        self._watched = 0.0
        self._progress = progress_of(session, [])

    def run(self, show: Callable[[Progress], None]) -> None:
        """Work until no trial is left to claim."""
        with StopRequest().listening() as stop:
            try:
                while True:
                    if stop.signal_number is None:
                        self._fill()
                    else:
                        self._forward(stop.signal_number)
                    for slot in list(self._slots):
                        self._advance(slot, is_stopping=stop.signal_number is not None)
                    self._watch()
                    show(self._progress)
                    if not self._slots and (stop.signal_number is not None or self._is_full):
                        break
                    time.sleep(process.POLL_SECONDS)
            finally:
                self._end_all()
        if stop.signal_number is not None:
            raise self._interrupted(stop.signal_number)

    def _fill(self) -> None:
        """Give every free worker a trial."""
        while len(self._slots) < self._session.settings.workers and not self._is_full:
            claimed = self._study.claim(self._session.num_trials, ask=time.monotonic() < self._deadline)
            if claimed is None:
                self._is_full = True
                return
            self._slots.append(Slot(claimed))
            self._changed()

    def _changed(self) -> None:
        self._progress = progress_of(self._session, [slot.claimed.number for slot in self._slots], self._progress)

    def _advance(self, slot: Slot, *, is_stopping: bool) -> None:
        """Start the process of a trial, or see what became of it."""
        folder = slot.claimed.folder
        if slot.running is not None:
            status = slot.running.poll()
            if status is None:
                return
            slot.running = None
            if not (folder / FILE).is_file() and slot.claimed.pruned_at is None:
                self._ended_without_result(slot, status, is_stopping=is_stopping)
                return
        if run_state.is_locked(folder) and not is_stopping:
            return  # its process outlives, for a moment, the worker that was killed
        if (folder / FILE).is_file():
            self._finish(slot)
        elif slot.claimed.pruned_at is not None:
            self._study.prune(slot.claimed)
            self._leave(slot)
        elif is_stopping:
            slot.claimed.release()
            self._slots.remove(slot)
        else:
            self._start(slot)

    def _start(self, slot: Slot) -> None:
        session, claimed = self._session, slot.claimed
        folder = claimed.folder
        slot.last = checkpoint.read_pointer(folder, "latest")
        if run_state.state(folder) is State.STARTED and not checkpoint.names(folder):
            shutil.rmtree(folder)  # killed while it began: what it left of its configuration may be cut short
        if run_state.state(folder) is State.STARTED:
            words = command.resumed_words(session.flags, folder)
        else:
            words = command.trial_words(
                flags=session.flags,
                shared=session.shared,
                space=session.space,
                point=claimed.point,
                fixed=session.fixed,
                folder=folder,
            )
        log = session.folder / LOGS / f"{claimed.number:04d}.log"
        slot.running = process.start(words, log, process.environment(session.num_threads))

    def _ended_without_result(self, slot: Slot, status: int, *, is_stopping: bool) -> None:
        claimed = slot.claimed
        if is_stopping:
            claimed.release()
            self._slots.remove(slot)
            return
        if failures.was_killed(status):
            is_further = checkpoint.read_pointer(claimed.folder, "latest") != slot.last
            slot.num_kills = 1 if is_further else slot.num_kills + 1
            if slot.num_kills < failures.KILLS:
                return  # it is started again
        log = self._session.folder / LOGS / f"{claimed.number:04d}.log"
        found = failures.failure(claimed.folder, log, status)
        self._study.fail(claimed, found.reason, found.status)
        self._leave(slot)
        if not self._progress.num_finished and self._progress.num_failed >= failures.FIRST:
            raise CheckFailed(
                f"The first {self._progress.num_failed} trials failed, the last one because: {found.reason} Fix the "
                "cause and start another sweep."
            )

    def _finish(self, slot: Slot) -> None:
        """Tell the values of a trial with a result."""
        claimed = slot.claimed
        outcome = run_state.outcome(claimed.folder)
        if isinstance(outcome, Result):
            checkpoint.reduce_to_best(claimed.folder)
            try:
                values = [one.of(outcome) for one in self._session.objectives]
            except UserError as error:
                self._study.fail(claimed, str(error), failures.FAILED)
                self._leave(slot)
                raise
            if all(map(math.isfinite, values)):
                self._study.finish(claimed, values)
            else:
                names = ", ".join(one.name for one in self._session.objectives)
                self._study.fail(claimed, f"its {names} is not a number", failures.FAILED)
        else:
            self._study.fail(claimed, outcome, failures.FAILED)
        self._leave(slot)

    def _leave(self, slot: Slot) -> None:
        """Free the worker of a trial that is told."""
        self._slots.remove(slot)
        lock_of(slot.claimed.folder).unlink(missing_ok=True)
        self._is_full = False
        self._changed()

    def _watch(self) -> None:
        """Tell the scores of running trials at their steps, and cut short those that are worse than the median."""
        if not self._session.settings.prune or time.monotonic() - self._watched < WATCH_SECONDS:
            return
        self._watched = time.monotonic()
        (objective,) = self._session.objectives
        for slot in self._slots:
            path = slot.claimed.folder / "metrics.jsonl"
            if slot.running is None or slot.claimed.pruned_at is not None or not path.is_file():
                continue
            for row in read_metrics(path):
                if row.get("kind") == SPLIT and self._is_rung(slot, row) and objective.name in row:
                    self._report(slot, row["step"], row[objective.name])

    def _is_rung(self, slot: Slot, row: dict[str, float]) -> bool:
        trainer = self._session.parts.trainer
        assert trainer.eval_every_steps is not None
        assert trainer.max_steps is not None
        step = row["step"]
        return (
            slot.claimed.pruned_at is None
            and step not in slot.claimed.reported
            and step % trainer.eval_every_steps == 0
            and step < trainer.max_steps
        )

    def _report(self, slot: Slot, step: int, score: float) -> None:
        if math.isfinite(score) and self._study.report(slot.claimed, step, score):
            self._study.mark_pruned(slot.claimed, step)
            if slot.running is not None:
                slot.is_told = True
                slot.running.send_signal(signal.SIGTERM)

    def _forward(self, number: int) -> None:
        """Ask every process once to save a checkpoint and end."""
        for slot in self._slots:
            if slot.running is not None and not slot.is_told:
                slot.is_told = True  # a second signal would end it without a checkpoint
                with suppress(ProcessLookupError):
                    slot.running.send_signal(number)

    def _end_all(self) -> None:
        """End what still runs after an error or a second signal."""
        for slot in self._slots:
            if slot.running is not None:
                slot.running.kill()
                slot.running.wait()
            slot.claimed.release()
        self._slots.clear()

    def _interrupted(self, number: int) -> Interrupted:
        done = self._progress
        return Interrupted(
            number,
            f"Stopped with {done.num_told} of {self._session.num_trials} trials done, those that ran are saved; "
            f"continue with `ctxlab sweep resume={self._session.folder}`.",
        )
