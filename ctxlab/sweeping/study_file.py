"""``study.json``: the outcome of a sweep, typed and versioned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.fields import Fields
from ctxlab.core.files import write_json

VERSION = 1

FILE = "study.json"

FINISHED, PRUNED, RUNNING = "finished", "pruned", "running"
"""States of a trial, besides the reasons why one has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial."""

    number: int
    state: str
    """``finished``, ``pruned``, ``running``, ``not applicable`` or ``failed``."""
    parameters: Mapping[str, Any]
    """Key → value."""
    values: Sequence[float]
    """Value of each objective; empty without a result."""
    metrics: Mapping[str, Mapping[str, float]]
    """Split → metric → value; empty without a result."""
    run: str | None
    """Run directory, relative to the sweep's where it lies inside; None if it is on another machine."""
    seconds: float | None
    """From its start to its end."""
    reason: str | None
    """Why it has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smallest:
    """The smallest value of a key that is as good as the best one."""

    key: str
    best: float
    """Value with the best score on the documents that choose."""
    smallest: float | None
    """The smallest value whose interval against the best lies above −margin; None if not known."""
    margin: float
    rows: Sequence[Mapping[str, Any]]
    """For each value: ``value, score, num_seeds, difference, low, high, enough``."""
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """A sweep."""

    stage: str = "sweep"
    task: str
    model: str
    name: str
    storage: str
    """Without a password."""
    command: Sequence[str]
    space: Mapping[str, Mapping[str, Any]]
    sampler: str
    objectives: Mapping[str, str]
    """Figure → ``minimize`` or ``maximize``."""
    selection_split: str
    """Split by which trials are chosen."""
    reported_split: str | None
    """Split that chose nothing; None if there is none."""
    num_trials: int
    trials: Sequence[TrialRecord]
    best: Sequence[int]
    """Number of the best trial; with several objectives, of all that no other one dominates."""
    importance: Mapping[str, float]
    """Key → fraction of the spread that it accounts for; empty if not known."""
    importance_note: str
    smallest: Smallest | None
    experiment: str | None
    """File that reproduces the best trial."""
    notes: Sequence[str]
    conclusion: str
    version: int = VERSION

    def trial(self, number: int) -> TrialRecord:
        """Return a trial by its number."""
        return next(one for one in self.trials if one.number == number)


def write(folder: Path, record: StudyRecord) -> None:
    """Write ``study.json`` into the directory of a sweep, atomically."""
    write_json(folder / FILE, asdict(record))


def read(path: Path) -> StudyRecord:
    """Read the study in a file, or in the directory of a sweep.

    Raises:
        UserError: There is none, or it is damaged.
    """
    file = path / FILE if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file} cannot be read as the outcome of a sweep ({error}): run ctxlab sweep resume=."
        ) from error
    fields = Fields(data, str(file), "the outcome of a sweep")
    if fields.integer("version", 0) > VERSION:
        raise UserError(f"{file} has version {data['version']}, and this ctxlab reads at most {VERSION}: update it.")
    smallest = fields.mapping("smallest", None)
    return StudyRecord(
        task=fields.text("task"),
        model=fields.text("model"),
        name=fields.text("name"),
        storage=fields.text("storage"),
        command=fields.sequence("command"),
        space=fields.mapping("space"),
        sampler=fields.text("sampler"),
        objectives=fields.mapping("objectives"),
        selection_split=fields.text("selection_split"),
        reported_split=fields.text("reported_split", None),
        num_trials=fields.integer("num_trials"),
        trials=[_trial(one, str(file)) for one in fields.sequence("trials")],
        best=fields.sequence("best"),
        importance=fields.mapping("importance"),
        importance_note=fields.text("importance_note"),
        smallest=None if smallest is None else _smallest(smallest, str(file)),
        experiment=fields.text("experiment", None),
        notes=fields.sequence("notes"),
        conclusion=fields.text("conclusion"),
    )


def _trial(data: Any, origin: str) -> TrialRecord:
    fields = Fields(data, f"{origin} (trials)", "a trial of a sweep")
    return TrialRecord(
        number=fields.integer("number"),
        state=fields.text("state"),
        parameters=fields.mapping("parameters"),
        values=fields.sequence("values"),
        metrics=fields.mapping("metrics"),
        run=fields.text("run", None),
        seconds=data.get("seconds"),
        reason=fields.text("reason", None),
    )


def _smallest(data: Mapping[str, Any], origin: str) -> Smallest:
    fields = Fields(data, f"{origin} (smallest)", "the smallest value of a key")
    return Smallest(
        key=fields.text("key"),
        best=data["best"],
        smallest=data.get("smallest"),
        margin=data["margin"],
        rows=fields.sequence("rows"),
        sentence=fields.text("sentence"),
    )
