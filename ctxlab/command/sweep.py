"""Summary of the jobs of a multirun, read from their directories so that it works with every launcher."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ctxlab.command.explain import MISTAKE, UNEXPECTED
from ctxlab.command.job import FAILURE, FINISHED
from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Cost, Outcome, Result, preferred, read_outcome
from ctxlab.core.types import Table

CSV = "sweep.csv"

UNFINISHED = "The job has no result: it was killed, or is still running elsewhere."


@dataclass(frozen=True, slots=True)
class Row:
    """One job, in the units of ``result.json``."""

    job: str
    overrides: str
    metric: str
    score: float | None
    coverage_tokens: float | None
    tokens_per_second: float | None
    peak_memory_bytes: int | None
    status: str
    """``done`` or ``failed``."""
    error: str
    mistake: bool
    """Whether the user can fix the failure."""


def summarise(folder: Path) -> int:
    """Print one table over all jobs under ``folder``, write ``sweep.csv``, and name the jobs that failed.

    Returns:
        0; 1 if any job failed; 2 if all jobs failed by mistakes of the user.
    """
    rows = [_row(path, folder) for path in _jobs(folder)]
    if not rows:
        return 0
    _print(rows, folder)
    failed = [row for row in rows if row.status != "done"]
    for row in failed:
        sys.stderr.write(f"Job {row.job} ({row.overrides}) failed: {row.error}\n")
    _write(rows, folder / CSV)
    sys.stdout.write(f"Written to {folder / CSV}\n")
    if not failed:
        return 0
    return MISTAKE if len(failed) == len(rows) and all(row.mistake for row in failed) else UNEXPECTED


def _jobs(folder: Path) -> list[Path]:
    found = {path.parent.parent for path in folder.rglob(".hydra/overrides.yaml")}
    found |= {path.parent for name in (FILE, FAILURE) for path in folder.rglob(name)}
    return sorted(found - {folder}, key=lambda path: _natural(str(path.relative_to(folder))))


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a sort key that puts 9 before 10."""
    parts = [part for part in re.split(r"(\d+)", text) if part]
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]


def _row(path: Path, folder: Path) -> Row:
    outcome, failure = _outcome(path), _failure(path)
    damage = str(outcome) if isinstance(outcome, UserError) else ""
    done = not failure and not damage and (outcome is not None or (path / FINISHED).is_file())
    scored = outcome if isinstance(outcome, Result) else None
    cost = outcome.cost if isinstance(outcome, Outcome) else Cost()
    return Row(
        job=str(path.relative_to(folder)),
        overrides=" ".join(_overrides(path)),
        metric=scored.primary_metric if scored else "",
        score=scored.primary() if scored else None,
        coverage_tokens=preferred({split: seen.tokens for split, seen in scored.coverage.items()}) if scored else None,
        tokens_per_second=cost.tokens_per_second,
        peak_memory_bytes=cost.peak_memory_bytes,
        status="done" if done else "failed",
        error="" if done else str(failure.get("error") or damage or UNFINISHED),
        mistake=failure.get("exit_status") == MISTAKE,
    )


def _outcome(path: Path) -> Outcome | UserError | None:
    """Return the result of a job, None without one, or the error of reading it."""
    if not (path / FILE).is_file():
        return None
    try:
        return read_outcome(path / FILE)
    except UserError as error:
        return error


def _failure(path: Path) -> dict[str, Any]:
    path = path / FAILURE
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _overrides(path: Path) -> list[str]:
    import yaml

    try:
        loaded = yaml.safe_load((path / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return []
    return [str(word) for word in loaded or []]


def _write(rows: Iterable[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row) if field.name != "mistake"])
        writer.writeheader()
        for row in rows:
            values = asdict(row)
            values.pop("mistake")
            writer.writerow(values)


def _print(rows: Sequence[Row], folder: Path) -> None:
    from ctxlab.reporting.tables import show
    from ctxlab.tracking.console import console

    metrics = {row.metric for row in rows if row.metric}
    keys = _varied(rows)
    columns = ["job", *_short(keys), metrics.pop() if len(metrics) == 1 else "metric", "coverage", "tokens/s", "MiB"]
    table = Table("jobs", f"{len(rows)} jobs in {folder}", [*columns, "status"], [_cells(row, keys) for row in rows])
    show(console(), table)


def _given(row: Row) -> dict[str, str]:
    """Return key → value of a job's overrides."""
    pairs = (word.lstrip("+").partition("=") for word in row.overrides.split(" "))
    return {key: value.strip("'\"") for key, _, value in pairs if key}


def _varied(rows: Sequence[Row]) -> list[str]:
    """Return the keys whose values differ between jobs, in the order of the command."""
    given = [_given(row) for row in rows]
    every = dict.fromkeys(key for one in given for key in one)
    return [key for key in every if len(rows) == 1 or len({one.get(key) for one in given}) > 1]


def _short(keys: Sequence[str]) -> list[str]:
    """Return the last parts of keys, if these are unique."""
    lasts = [re.split(r"[./]", key)[-1] for key in keys]
    return [last if lasts.count(last) == 1 else key for key, last in zip(keys, lasts, strict=True)]


def _cells(row: Row, keys: Sequence[str]) -> list[str]:
    """Return the cells of a row, with a column for each of the ``keys``."""
    given = _given(row)
    memory = f"{row.peak_memory_bytes / 2**20:,.0f}" if row.peak_memory_bytes is not None else ""
    speed = f"{row.tokens_per_second:,.0f}" if row.tokens_per_second is not None else ""
    coverage = f"{row.coverage_tokens:.1%}" if row.coverage_tokens is not None else ""
    score = f"{row.score:.4f}" if row.score is not None else ""
    return [row.job, *(given.get(key, "") for key in keys), score, coverage, speed, memory, row.status]
