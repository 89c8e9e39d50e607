"""The outcome of a sweep after its trials, written and printed."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from ctxlab.core import run_state
from ctxlab.core.errors import CheckFailed
from ctxlab.core.result import Result
from ctxlab.sweeping import study_file
from ctxlab.sweeping.importance import Importance, importance
from ctxlab.sweeping.objectives import SPLIT
from ctxlab.sweeping.study import REASON, STATUS
from ctxlab.sweeping.study_file import FINISHED, PRUNED, RUNNING, Smallest, StudyRecord, TrialRecord
from ctxlab.tracking.console import console
from ctxlab.workbench.sweeping import experiment, failures, page, plots
from ctxlab.workbench.sweeping.session import Session
from ctxlab.workbench.sweeping.smallest import Finished, smallest

REPORTED = "test"
"""Split that chooses nothing."""

STATES = {TrialState.COMPLETE: FINISHED, TrialState.PRUNED: PRUNED}


def conclude(session: Session) -> None:
    """Write ``study.json``, ``study.md``, plots and the best trial's experiment; print the trials and what follows.

    Raises:
        CheckFailed: A trial failed, or none has finished.
    """
    record = recorded(session)
    study_file.write(session.folder, record)
    pictures = plots.draw(session.folder, record)
    page.write(session.folder, record, pictures)
    page.show(console(), session.folder, record)
    failed = [one for one in record.trials if one.state == failures.FAILED]
    if failed:
        numbers = ", ".join(str(one.number) for one in failed)
        raise CheckFailed(f"Trial {numbers} failed ({failed[0].reason}); the others are reported.")
    if record.trials and not record.best and not any(one.state in (RUNNING, PRUNED) for one in record.trials):
        raise CheckFailed(f"No trial has finished; trial 0: {record.trials[0].reason}")


def save(session: Session) -> StudyRecord:
    """Write ``study.json`` and ``study.md`` as far as the sweep has come."""
    record = recorded(session)
    study_file.write(session.folder, record)
    page.write(session.folder, record, [])
    return record


def recorded(session: Session) -> StudyRecord:
    """Return the sweep as it is, and write the experiment of the best trial."""
    trials = session.study.trials()
    results = {trial.number: found for trial in trials if (found := _result(session, trial)) is not None}
    records = [_trial(session, trial, results.get(trial.number)) for trial in trials]
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    best = [trial.number for trial in _best(session, finished)]
    shares = _importance(session, finished)
    least = _smallest(session, trials, results)
    file = _experiment(session, trials, best)
    has_test = any(REPORTED in found.metrics for found in results.values())
    notes = [*session.notes, *_notes(session, records, best)]
    if isinstance(least, str):
        notes.append(least)
    return StudyRecord(
        task=session.parts.task.name,
        model=session.parts.model.name,
        name=session.study.place.name,
        storage=session.study.place.title,
        command=list(session.command),
        space=session.space.form,
        sampler=session.settings.sampler,
        objectives={one.name: one.direction for one in session.objectives},
        selection_split=SPLIT,
        reported_split=REPORTED if has_test else None,
        num_trials=session.num_trials,
        trials=records,
        best=best,
        importance=shares.shares,
        importance_note=shares.sentence,
        smallest=least if isinstance(least, Smallest) else None,
        experiment=None if file is None else os.path.relpath(file, session.folder),
        notes=notes,
        conclusion=_conclusion(session, records, best, least),
    )


def _result(session: Session, trial: FrozenTrial) -> Result | None:
    folder = session.study.place.run_dir(trial)
    outcome = None if folder is None or trial.state is not TrialState.COMPLETE else run_state.outcome(folder)
    return outcome if isinstance(outcome, Result) else None


def _trial(session: Session, trial: FrozenTrial, result: Result | None) -> TrialRecord:
    folder = session.study.place.run_dir(trial)
    start, end = trial.datetime_start, trial.datetime_complete
    state = STATES.get(trial.state) or (
        trial.user_attrs.get(STATUS, failures.FAILED) if trial.state is TrialState.FAIL else RUNNING
    )
    is_whole = set(trial.params) >= set(session.space.names)
    return TrialRecord(
        number=trial.number,
        state=state,
        parameters=session.space.values(trial.params) if is_whole else {},
        values=list(trial.values) if trial.state is TrialState.COMPLETE else [],
        metrics=result.metrics if result else {},
        run=None if folder is None else _relative(folder, session.folder),
        seconds=(end - start).total_seconds() if start and end else None,
        reason=trial.user_attrs.get(REASON),
    )


def _relative(folder: Path, sweep: Path) -> str:
    return str(folder.relative_to(sweep)) if folder.is_relative_to(sweep) else str(folder)


def _best(session: Session, finished: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the best trials, the first of equal ones; with several objectives those that no other one dominates."""
    signs = [1 if one.lower_is_better else -1 for one in session.objectives]
    costs = {
        trial.number: [sign * value for sign, value in zip(signs, trial.values, strict=True)] for trial in finished
    }
    ordered = sorted(finished, key=lambda trial: (costs[trial.number], trial.number))
    if len(session.objectives) == 1:
        return ordered[:1]
    return [one for one in ordered if not any(_dominates(costs[other.number], costs[one.number]) for other in ordered)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return list(one) != list(other) and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def _importance(session: Session, finished: Sequence[FrozenTrial]) -> Importance:
    return importance(session.space, [trial.params for trial in finished], [trial.values[0] for trial in finished])


def _smallest(session: Session, trials: Sequence[FrozenTrial], results: dict[int, Result]) -> Smallest | str | None:
    key = session.settings.smallest
    if key is None:
        return None
    finished = []
    for trial in trials:
        folder = session.study.place.run_dir(trial)
        if trial.number in results and folder is not None:
            finished.append(Finished(session.space.values(trial.params), results[trial.number], folder))
    return smallest(key, finished, session.margin)


def _experiment(session: Session, trials: Sequence[FrozenTrial], best: Sequence[int]) -> Path | None:
    """Write the experiment of the first of the best trials; None if it is on another machine, or there is none."""
    found = next((trial for trial in trials if trial.number in best[:1]), None)
    folder = None if found is None else session.study.place.run_dir(found)
    if found is None or folder is None or not (folder / ".hydra" / "hydra.yaml").is_file():
        return None
    title = f"Trial {found.number}, the best of the sweep {session.folder.name} by {session.objectives[0].name}"
    return experiment.write(session.folder, folder, title)


def _notes(session: Session, records: Sequence[TrialRecord], best: Sequence[int]) -> Iterator[str]:
    if len(records) < session.num_trials:
        yield (
            f"{len(records)} of {session.num_trials} trials were begun; the others follow with `ctxlab sweep "
            f"resume={session.folder}`."
        )
    running = [str(one.number) for one in records if one.state == RUNNING]
    if running:
        yield f"Trial {', '.join(running)} runs in another command, or was left by one that was killed."
    if session.settings.workers > 1 and session.parts.trainer.max_seconds is not None:
        yield (
            f"{session.settings.workers} trials at a time share the machine: each came less far in its seconds than it "
            "would have alone."
        )
    if best and session.parts.start is None and len(session.objectives) == 1:
        yield f"Trials were chosen on the {SPLIT} split: the best of many looks better there than it is."


def _conclusion(
    session: Session, records: Sequence[TrialRecord], best: Sequence[int], least: Smallest | str | None
) -> str:
    if isinstance(least, Smallest):
        return least.sentence
    if not best:
        return "There is nothing to conclude: no trial has finished."
    one = next(record for record in records if record.number == best[0])
    values = ", ".join(f"{key}={page.figure(value)}" for key, value in one.parameters.items())
    name = session.objectives[0].name
    if len(session.objectives) > 1:
        return f"{len(best)} trials are on the front; by {name}, trial {one.number} is best: {values}."
    reported = one.metrics.get(REPORTED, {}).get(name)
    other = "" if reported is None else f", and {reported:.4g} on the {REPORTED} split, which chose nothing"
    return f"Trial {one.number} is best, with {values}: {name} {one.values[0]:.4g} on the {SPLIT} split{other}."
