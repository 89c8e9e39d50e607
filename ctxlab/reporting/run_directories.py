"""Run directories as they are found on the disk: their results, and those that cannot be read."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Result, Verification, read_outcome
from ctxlab.core.run_state import FAILURE
from ctxlab.reporting.settings import settings
from ctxlab.tracking.metrics_file import read_metrics

COMPARISON = "comparison.json"

INSIDE = frozenset({".hydra", "checkpoints", "predictions", "scores", "logs", "wandb", "tensorboard"})
"""Folders in a run directory that contain no other run."""

REPEATED = ".waited"
"""Suffix of the folder of a cell that was repeated, as other processes had slowed it down."""

MOST_POINTS = 60
"""Largest number of points of a curve; more cannot be distinguished."""


@dataclass(frozen=True, eq=False)
class RunDirectory:
    """A finished run."""

    folder: Path
    outcome: Result | Verification
    settings: Mapping[str, str]
    """Dotted key → value of its configuration, without what differs between any two runs; see ``settings``."""

    @cached_property
    def points(self) -> list[dict[str, Any]]:
        """Logged points of ``metrics.jsonl``, in order; empty if it is missing or damaged."""
        try:
            return [row for row in read_metrics(self.folder / "metrics.jsonl") if isinstance(row, dict)]
        except (OSError, ValueError):
            return []

    def curve(self, kind: str, across: str, figure: str) -> list[tuple[float, float]]:
        """Return at most ``MOST_POINTS`` points of a logged figure, the last one among them.

        Args:
            kind: Kind of the rows, such as ``train``.
            across: Field for the horizontal axis.
            figure: Field for the vertical axis.
        """
        rows = (row for row in self.points if row.get("kind") == kind)
        found = [(row[across], row[figure]) for row in rows if _is_number(row.get(across), row.get(figure))]
        step = max(1, -(-len(found) // MOST_POINTS))
        return found[::-1][::step][::-1]


@dataclass(frozen=True, slots=True)
class Found:
    """What directories contain."""

    runs: Sequence[RunDirectory]
    skipped: Mapping[str, str]
    """Directory → why there is nothing of it in the report."""
    conclusions: Mapping[str, str]
    """Directory of a comparison → its concluding sentence."""


def find_runs(folders: Sequence[Path]) -> Found:
    """Read every run directory at or below ``folders``; each is read once, even if folders overlap.

    Raises:
        UserError: No folder is given, or one is missing, is a file, or contains no finished run.
    """
    if not folders:
        raise UserError("There is nothing to report: give run directories, as in ctxlab report outputs.")
    runs: dict[Path, RunDirectory] = {}
    skipped: dict[str, str] = {}
    conclusions: dict[str, str] = {}
    for folder in folders:
        _check(folder)
        before = len(runs), len(skipped)
        for path in run_directories(folder):
            sentence = _conclusion(path)
            if sentence:
                conclusions[str(path)] = sentence
            elif path.resolve() not in runs and str(path) not in skipped:
                _read(path, runs, skipped)
        if (len(runs), len(skipped)) == before and not any(path.is_relative_to(folder.resolve()) for path in runs):
            raise UserError(f"{folder} contains no runs: give a run directory, or a folder that contains some.")
    if not runs:
        name, reason = next(iter(skipped.items()))
        raise UserError(f"No run has a result that can be read; {name}: {reason}")
    return Found(list(runs.values()), skipped, conclusions)


def _check(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise UserError(f"{folder} is a file: give the run directory {folder.parent}, or a folder that contains runs.")
    raise UserError(f"{folder} does not exist: give a run directory, or a folder that contains runs, such as outputs.")


def run_directories(folder: Path) -> Iterator[Path]:
    """Yield the directories that are or were to become runs, in alphabetical order."""
    for name, inside, files in os.walk(folder):
        path = Path(name)
        inside[:] = sorted(one for one in inside if one not in INSIDE and not one.endswith(REPEATED))
        if {FILE, FAILURE, COMPARISON} & set(files) or (path / ".hydra" / "overrides.yaml").is_file():
            yield path


def _read(path: Path, runs: dict[Path, RunDirectory], skipped: dict[str, str]) -> None:
    if not (path / FILE).is_file():
        reason = _why_unfinished(path)
        if reason:
            skipped[str(path)] = reason
        return
    try:
        runs[path.resolve()] = read_run(path)
    except UserError as error:
        skipped[str(path)] = str(error)


def read_run(folder: Path) -> RunDirectory:
    """Read a run directory; raises UserError naming the file that is missing or damaged."""
    return RunDirectory(folder, read_outcome(folder), _settings(folder))


def _settings(path: Path) -> Mapping[str, str]:
    file = path / "config.yaml"
    try:
        return settings(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file} cannot be read as the configuration of a run ({reason}).") from error


def _why_unfinished(path: Path) -> str | None:
    """Say why a directory has no result; None for one that never has any, as of a comparison or of ``predict``."""
    failure = _json(path / FAILURE)
    if failure.get("error"):
        return f"it failed: {failure['error']}"
    if (path / "checkpoints").is_dir() or (path / "metrics.jsonl").is_file():
        return "it has no result: it was stopped, or is still running."
    return None


def _conclusion(path: Path) -> str | None:
    found = _json(path / COMPARISON).get("conclusion")
    return found if isinstance(found, str) else None


def _json(path: Path) -> Mapping[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _is_number(*values: Any) -> bool:
    return all(isinstance(value, int | float) and abs(value) < float("inf") for value in values)


def names(folders: Iterable[Path]) -> dict[Path, str]:
    """Return a short name for each directory: its path below the deepest folder that contains all of them."""
    every = list(dict.fromkeys(folders))
    above = os.path.commonpath([path.absolute().parent for path in every]) if every else ""
    return {path: os.path.relpath(path.absolute(), above) for path in every}
