"""A study in a storage of Optuna, asked and told by several processes that may be killed at any time.

A trial is a run directory. Whoever works on it holds the lock of a file beside it, which the system releases when the
process ends: a running trial whose lock is free was left by a killed process, and is continued under its own number.
Neither a count of finished trials nor Optuna's heartbeats, which make a new trial of an old one, can do that.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from ctxlab.core import locks
from ctxlab.core.errors import UserError
from ctxlab.sweeping.samplers import Proposer, suggest
from ctxlab.sweeping.space import Point, Space

FILE = "study.db"
"""SQLite file of a study in the sweep's directory."""

LOCK = "study.lock"

TRIALS = "trials"
"""Folder of the trials' run directories in the sweep's."""

DEFINITION = "ctxlab"
"""Attribute of a study with what must not change while it is searched."""

FOLDER, MACHINE, REASON, STATUS, PRUNED_AT = "folder", "machine", "reason", "status", "pruned_at"
"""Attributes of a trial: in a shared storage its run directory and machine; why it failed; where it was cut."""

WAIT_SECONDS = 100
"""How long SQLite waits for another program that reads the file, such as a dashboard."""

UNPLACED_MINUTES = 10
"""After this time a trial without a directory was left by a process killed while it asked, on whatever machine."""

PRUNED_FROM = 4
"""Finished trials from which others are compared with their median."""

BEYOND = "another machine had asked for the last trial at the same moment"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study is kept."""

    url: str
    """A storage of Optuna."""
    name: str
    folder: Path
    """Directory of the sweep."""
    is_own: bool
    """Whether the storage lies in the sweep's directory and moves with it."""

    @classmethod
    def of(cls, folder: Path, url: str | None, name: str) -> "Place":
        """Return the place of a study: the given storage, or a file in the directory of the sweep."""
        own = url is None
        return cls(f"sqlite:///{folder / FILE}" if own else str(url), name, folder, own)

    @property
    def lock(self) -> Path:
        """File whose lock is held while the study is asked: beside a database file, else in the sweep's directory."""
        file = self.url.removeprefix("sqlite:///")
        return Path(f"{file}.lock") if file != self.url and not self.is_own else self.folder / LOCK

    @property
    def title(self) -> str:
        """The storage, without its password."""
        return FILE if self.is_own else _without_password(self.url)

    def run_dir(self, trial: FrozenTrial) -> Path | None:
        """Return the run directory of a trial; None if it is on another machine, or has none yet."""
        if self.is_own:
            return self.folder / TRIALS / f"{trial.number:04d}"
        if trial.user_attrs.get(MACHINE) != socket.gethostname():
            return None
        return Path(trial.user_attrs[FOLDER]) if FOLDER in trial.user_attrs else None


@dataclass(slots=True)
class Claimed:
    """A trial that this process works on."""

    number: int
    point: Point
    folder: Path
    """Run directory."""
    handle: int
    """Of the lock that shows others that it is worked on."""
    reported: set[int] = field(default_factory=set)
    """Steps of which the score is known to the study."""
    pruned_at: int | None = None

    def release(self) -> None:
        """Let others continue the trial, unless it is finished."""
        os.close(self.handle)


class SharedStudy:
    """A study and the lock behind which it is asked and told."""

    def __init__(self, place: Place, space: Space, proposer: Proposer, *, prunes: bool = False) -> None:
        """Prepare a study, without opening it.

        Args:
            place: Where it is kept.
            space: What it searches.
            proposer: How.
            prunes: Whether a trial is cut short that is worse than the median of the finished ones at the same step.
        """
        self.place, self._space, self._proposer = place, space, proposer
        self._pruner = (
            optuna.pruners.MedianPruner(n_startup_trials=PRUNED_FROM) if prunes else optuna.pruners.NopPruner()
        )
        self._study: optuna.Study | None = None

    def open(self, definition: Mapping[str, Any], directions: Sequence[str]) -> None:
        """Open the study, or create it.

        Args:
            definition: What must be the same whenever the study is searched, as plain data.
            directions: ``minimize`` or ``maximize`` for each objective.

        Raises:
            UserError: The storage cannot be opened, or its study has another definition.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.place.lock.parent.mkdir(parents=True, exist_ok=True)
        plain = json.loads(json.dumps(dict(definition)))
        with locks.locked(self.place.lock), _explained(self.place):
            storage = _storage(self.place)
            if self.place.name in optuna.get_all_study_names(storage):
                self._study = optuna.load_study(
                    study_name=self.place.name, storage=storage, sampler=self._proposer, pruner=self._pruner
                )
                self._check(plain, directions)
            else:
                self._study = optuna.create_study(
                    study_name=self.place.name,
                    storage=storage,
                    sampler=self._proposer,
                    pruner=self._pruner,
                    directions=[StudyDirection[one.upper()] for one in directions],
                )
            self._study.set_user_attr(DEFINITION, plain)

    def _check(self, definition: Mapping[str, Any], directions: Sequence[str]) -> None:
        """Refuse a study that is searched in another way."""
        before, where = self.study.user_attrs.get(DEFINITION), f"The study '{self.place.name}' in {self.place.title}"
        if before is None and self.study.get_trials(deepcopy=False):
            raise UserError(f"{where} was not made by ctxlab sweep: give another sweep.study=.")
        found = [] if before is None else differences(before, definition)
        if [one.name.lower() for one in self.study.directions] != list(directions) and not found:
            found = [f"directions {', '.join(one.name.lower() for one in self.study.directions)} there"]
        if found:
            raise UserError(
                f"{where} is another one: it has {'; '.join(found)}. Leave that as it was, or start another sweep"
                f"{'' if self.place.is_own else ' with another sweep.study='}."
            )

    @property
    def study(self) -> optuna.Study:
        """The open study."""
        assert self._study is not None
        return self._study

    def trials(self) -> list[FrozenTrial]:
        """Return all trials in order, without those that a race of machines asked for beyond the last."""
        found = self.study.get_trials(deepcopy=False)
        return [trial for trial in found if trial.user_attrs.get(REASON) != BEYOND]

    def claim(self, num_trials: int, *, ask: bool) -> Claimed | None:
        """Claim a trial to work on: one that a killed process has left, else a new one.

        Args:
            num_trials: Trials of the sweep, whatever became of them.
            ask: Whether new trials may be asked for.

        Returns:
            The trial; None if none is left, or all others are being worked on.
        """
        with locks.locked(self.place.lock):
            trials = self.trials()
            for trial in trials:
                if trial.state in (TrialState.RUNNING, TrialState.WAITING):
                    found = self._taken_over(trial)
                    if found is not None:
                        return found
            if not ask or len(trials) >= num_trials:
                return None
            asked = self.study.ask()
            if asked.number >= num_trials and not self.place.is_own:
                asked.set_user_attr(REASON, BEYOND)
                self.study.tell(asked, state=TrialState.FAIL)
                return None
            folder = self.place.folder / TRIALS / f"{asked.number:04d}"
            return self._begun(asked, folder)

    def _taken_over(self, trial: FrozenTrial) -> Claimed | None:
        folder = self.place.run_dir(trial)
        if folder is None and not self._is_lost(trial):
            return None
        folder = folder or self.place.folder / TRIALS / f"{trial.number:04d}"
        return self._begun(Trial(self.study, trial._trial_id), folder)

    def _is_lost(self, trial: FrozenTrial) -> bool:
        age = datetime.now() - (trial.datetime_start or datetime.now())
        return MACHINE not in trial.user_attrs and age > timedelta(minutes=UNPLACED_MINUTES)

    def _begun(self, trial: Trial, folder: Path) -> Claimed | None:
        """Lock a trial and complete its point, which a process killed while it asked may have left undone."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        handle = locks.take(lock_of(folder))
        if handle is None:
            return None
        if not self.place.is_own and FOLDER not in trial.user_attrs:
            trial.set_user_attr(FOLDER, str(folder))
            trial.set_user_attr(MACHINE, socket.gethostname())
        point = {one.name: suggest(trial, one) for one in self._space.parameters}
        frozen = self.study._storage.get_trial(trial._trial_id)
        return Claimed(
            number=trial.number,
            point=point,
            folder=folder,
            handle=handle,
            reported=set(frozen.intermediate_values),
            pruned_at=frozen.user_attrs.get(PRUNED_AT),
        )

    def report(self, claimed: Claimed, step: int, score: float) -> bool:
        """Tell the score at a step, once; returns whether the trial should be cut short."""
        with locks.locked(self.place.lock):
            trial = self._of(claimed)
            trial.report(score, int(step))
            claimed.reported.add(int(step))
            return bool(trial.should_prune())

    def mark_pruned(self, claimed: Claimed, step: int) -> None:
        """Record that a trial is cut short before it is, so that nobody continues it."""
        with locks.locked(self.place.lock):
            self._of(claimed).set_user_attr(PRUNED_AT, step)
        claimed.pruned_at = step

    def finish(self, claimed: Claimed, values: Sequence[float]) -> None:
        """Tell the values of a finished trial."""
        with locks.locked(self.place.lock):
            self.study.tell(claimed.number, list(values), state=TrialState.COMPLETE)
        claimed.release()

    def prune(self, claimed: Claimed) -> None:
        """Tell that a trial was cut short."""
        with locks.locked(self.place.lock):
            self.study.tell(claimed.number, state=TrialState.PRUNED)
        claimed.release()

    def fail(self, claimed: Claimed, reason: str, status: str) -> None:
        """Tell that a trial has no result, and why."""
        with locks.locked(self.place.lock):
            trial = self._of(claimed)
            trial.set_user_attr(REASON, reason)
            trial.set_user_attr(STATUS, status)
            self.study.tell(claimed.number, state=TrialState.FAIL)
        claimed.release()

    def _of(self, claimed: Claimed) -> Trial:
        found = next(one for one in self.study.get_trials(deepcopy=False) if one.number == claimed.number)
        return Trial(self.study, found._trial_id)


def lock_of(folder: Path) -> Path:
    """Return the lock file of a trial: beside its directory, which may be removed and made again."""
    return folder.with_name(f"{folder.name}.lock")


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return what differs between two definitions, a phrase each: ``sampler tpe there and random here``."""
    found = []
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key, _NOTHING), now.get(key, _NOTHING)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{prefix}{key} ")
        else:
            found.append(f"{prefix}{key} {_text(old)} there and {_text(new)} here")
    return found


_NOTHING = object()


def _text(value: Any) -> str:
    if value is _NOTHING:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    scheme, colon, user = head.partition("://")
    return f"{scheme}{colon}{user.partition(':')[0]}:***{at}{tail}" if at and ":" in user else url


def _storage(place: Place) -> optuna.storages.BaseStorage:
    if place.url.startswith("sqlite"):
        return optuna.storages.RDBStorage(place.url, engine_kwargs={"connect_args": {"timeout": WAIT_SECONDS}})
    return optuna.storages.RDBStorage(place.url)


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """Turn errors of the database into one sentence."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].replace(place.url, place.title)
        raise UserError(
            f"sweep.storage={place.title} cannot be opened ({reason}): give a URL such as sqlite:///study.db, whose "
            "folder exists, or postgresql://user:password@host/database, whose driver is installed."
        ) from error
