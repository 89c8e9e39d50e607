"""What came of the jobs of a multirun, read from their directories so that it holds for every launcher."""

import csv
import json
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ctxlab.command.explain import MISTAKE, UNEXPECTED
from ctxlab.command.job import FAILURE, FINISHED
from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Cost, Outcome, Result, preferred, read_outcome

CSV = "sweep.csv"

WIDE = 200
"""Characters of a table that no terminal limits."""

UNFINISHED = "The job ended without a word: it was killed, or is still running elsewhere."


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
    """Whether the user can mend the failure."""


def summarise(folder: Path) -> int:
    """Print one table over all jobs under ``folder``, write ``sweep.csv``, and name the jobs that failed.

    Returns:
        0, 1 if any job failed, 2 if all did by mistakes of the user.
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
    """Sort key that puts 9 before 10."""
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
    """What the job came to, None where it left no result, or why that cannot be read."""
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
    from rich.console import Console
    from rich.table import Table

    metrics = {row.metric for row in rows if row.metric}
    table = Table(title=f"{len(rows)} jobs in {folder}", title_justify="left")
    for column in ("job", "overrides", metrics.pop() if len(metrics) == 1 else "primary metric"):
        table.add_column(column)
    for column in ("coverage", "tokens/s", "peak memory"):
        table.add_column(column, justify="right")
    table.add_column("status")
    common = set.intersection(*(set(row.overrides.split(" ")) for row in rows)) if len(rows) > 1 else set()
    for row in rows:
        table.add_row(*_cells(row, common))
    Console(width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False).print(table)


def _cells(row: Row, common: Collection[str]) -> list[str]:
    """A row as shown: of the overrides only those that not all jobs share."""
    own = " ".join(word for word in row.overrides.split(" ") if word not in common)
    memory = f"{row.peak_memory_bytes / 2**20:,.0f} MiB" if row.peak_memory_bytes is not None else ""
    speed = f"{row.tokens_per_second:,.0f}" if row.tokens_per_second is not None else ""
    coverage = f"{row.coverage_tokens:.1%}" if row.coverage_tokens is not None else ""
    score = f"{row.score:.4f}" if row.score is not None else ""
    return [row.job, own.replace("'", ""), score, coverage, speed, memory, row.status]
