"""Summary of the jobs of a multirun, read from their directories so that it works with every launcher."""

import csv
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ctxlab.command.explain import MISTAKE, UNEXPECTED
from ctxlab.command.sweep_table import Row, fitting, given, shared, varied
from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Cost, Outcome, Result, preferred, read_outcome
from ctxlab.core.run_state import FAILURE, FINISHED

CSV = "sweep.csv"

UNFINISHED = "The job has no result: it was killed, or is still running elsewhere."


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
    words = _overrides(path)
    return Row(
        job=str(path.relative_to(folder)),
        overrides=" ".join(words),
        given=given(words),
        metric=scored.primary_metric if scored else "",
        score=scored.primary() if scored else None,
        coverage_tokens=preferred({split: seen.tokens for split, seen in scored.coverage.items()}) if scored else None,
        train_seconds=cost.train_seconds,
        evaluation_ms_per_document=_per_document(cost),
        tokens_per_second=cost.tokens_per_second,
        peak_memory_bytes=cost.peak_memory_bytes,
        status="done" if done else "failed",
        error="" if done else str(failure.get("error") or damage or UNFINISHED),
        mistake=failure.get("exit_status") == MISTAKE,
    )


def _per_document(cost: Cost) -> float | None:
    """Return the milliseconds of reading and scoring a document."""
    if cost.evaluation_seconds is None or not cost.evaluation_documents:
        return None
    return 1000 * cost.evaluation_seconds / cost.evaluation_documents


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


def _write(rows: Sequence[Row], path: Path) -> None:
    """Write a row for each job, with a column for each key that differs between them."""
    keys = varied(rows)
    own = [field.name for field in fields(Row) if field.name not in ("mistake", "given")]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*own, *(f"override.{key}" if key in own else key for key in keys)])
        for row in rows:
            writer.writerow([*(getattr(row, name) for name in own), *(row.given.get(key) for key in keys)])


def _print(rows: Sequence[Row], folder: Path) -> None:
    from ctxlab.reporting.tables import show
    from ctxlab.tracking.console import console, say

    screen = console()
    same = " ".join(f"{key}={value}" for key, value in shared(rows).items())
    if same:
        say(screen, f"all jobs: {same}")
    show(screen, fitting(rows, f"{len(rows)} jobs in {folder}", screen.width))
