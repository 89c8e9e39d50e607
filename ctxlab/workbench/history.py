"""What ran below a folder and how it ended, from the run directories alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from ctxlab.core import run_state
from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Result, read_outcome
from ctxlab.core.types import Table
from ctxlab.reporting.run_directories import run_directories
from ctxlab.training import checkpoint

RECORD = ".hydra/hydra.yaml"
"""File of Hydra with the command of a run."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run directory."""

    folder: Path
    command: str
    """Words after ``ctxlab``."""
    ended: str
    score: str
    """Primary metric and its value; empty where there is none."""
    started: float
    """Seconds since the epoch."""
    never_began: bool
    """Whether nothing in the directory is worth keeping."""


def history(folder: Path) -> list[PastRun]:
    """Return every run at or below ``folder``, the newest first.

    Raises:
        UserError: The folder does not exist.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give one with run directories, as in ctxlab runs outputs.")
    found = [_past_run(path) for path in run_directories(folder)]
    return sorted(found, key=lambda run: run.started, reverse=True)


def _past_run(folder: Path) -> PastRun:
    is_running = run_state.is_locked(folder)
    ended, score = _end(folder, is_running=is_running)
    never_began = not is_running and run_state.is_bare(folder)
    return PastRun(
        folder, _command(folder), ended=ended, score=score, started=_started(folder), never_began=never_began
    )


def _end(folder: Path, *, is_running: bool) -> tuple[str, str]:
    """Return how a run ended, and its score."""
    if (folder / FILE).is_file():
        try:
            outcome = read_outcome(folder)
        except UserError as error:
            return f"damaged: {error}", ""
        if isinstance(outcome, Result):
            score = outcome.primary()
            return "finished", "" if score is None else f"{outcome.primary_metric} {score:.3f}"
        return "every check passes" if outcome.passed else f"checks fail: {', '.join(outcome.failed)}", ""
    if is_running:
        return "running", ""
    if (folder / run_state.FINISHED).is_file():
        return "finished", ""
    saved = checkpoint.names(folder)
    at = f"; {saved[-1]} can be continued" if saved else ""
    reason = run_state.failure(folder)
    if reason:
        return f"{reason.rstrip('.')}{'' if 'resume=' in reason else at}", ""
    return f"killed{at}", ""


def _command(folder: Path) -> str:
    """Return the command of a run from Hydra's record; the folder's name where that is missing or damaged."""
    try:
        record: Any = yaml.load((folder / RECORD).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["hydra"]
        return " ".join([str(record["job"]["config_name"]), *map(str, record["overrides"]["task"])])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return folder.name


def _started(folder: Path) -> float:
    record = folder / RECORD
    return (record if record.is_file() else folder).stat().st_mtime


def table(runs: Sequence[PastRun], title: str) -> Table:
    """Return the runs as a table."""
    rows = [
        (
            str(run.folder),
            f"{datetime.fromtimestamp(run.started).astimezone():%Y-%m-%d %H:%M}",
            run.command,
            run.score,
            "never began" if run.never_began and run.ended == "killed" else run.ended,
        )
        for run in runs
    ]
    return Table("runs", title, columns=("run", "started", "command", "score", "ended"), rows=rows)
