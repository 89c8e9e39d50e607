"""Progress of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from optuna.trial import FrozenTrial, TrialState

from ctxlab.workbench.sweeping.session import Session


@dataclass(frozen=True, slots=True)
class Progress:
    """Trials of a sweep by their state."""

    num_trials: int
    num_finished: int
    num_pruned: int
    num_failed: int
    running: Sequence[int]
    """Numbers of the trials that this command runs."""
    num_elsewhere: int
    """Trials that other commands run, or killed ones have left."""
    best: tuple[int, float] | None
    """Number and first value of the best finished trial."""
    seconds_left: float | None
    """Estimated; None before a trial has finished."""

    @property
    def num_told(self) -> int:
        """Trials that are done, with or without a result."""
        return self.num_finished + self.num_pruned + self.num_failed


def progress_of(session: Session, running: Sequence[int], before: Progress | None = None) -> Progress:
    """Count the trials of a study.

    Args:
        session: The sweep.
        running: Numbers of the trials that this command runs.
        before: The last progress, if any.
    """
    trials = session.study.trials()
    by_state = {state: [trial for trial in trials if trial.state is state] for state in TrialState}
    finished = by_state[TrialState.COMPLETE]
    num_told = len(finished) + len(by_state[TrialState.PRUNED]) + len(by_state[TrialState.FAIL])
    return Progress(
        num_trials=session.num_trials,
        num_finished=len(finished),
        num_pruned=len(by_state[TrialState.PRUNED]),
        num_failed=len(by_state[TrialState.FAIL]),
        running=list(running),
        num_elsewhere=len(by_state[TrialState.RUNNING]) - len(running),
        best=_best(session, finished),
        seconds_left=_left(finished, max(session.num_trials - num_told, 0), session.settings.workers),
    )


def _best(session: Session, finished: Sequence[FrozenTrial]) -> tuple[int, float] | None:
    sign = -1 if session.objectives[0].lower_is_better else 1
    found = max(finished, key=lambda trial: sign * trial.values[0], default=None)
    return None if found is None else (found.number, found.values[0])


def _left(finished: Sequence[FrozenTrial], num_left: int, num_workers: int) -> float | None:
    """Return the seconds until the end, by the time that finished trials took."""
    times = [_seconds(trial) for trial in finished if trial.datetime_start and trial.datetime_complete]
    return None if not times else sum(times) / len(times) * num_left / num_workers


def _seconds(trial: FrozenTrial) -> float:
    start, end = trial.datetime_start or datetime.now(), trial.datetime_complete or datetime.now()
    return (end - start).total_seconds()
