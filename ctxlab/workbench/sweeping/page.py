"""The outcome of a sweep as ``study.md`` and as a table on the screen."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ctxlab.core.files import write_text
from ctxlab.core.types import Table
from ctxlab.reporting.tables import markdown
from ctxlab.reporting.tables import show as show_table
from ctxlab.sweeping.study_file import FINISHED, StudyRecord, TrialRecord
from ctxlab.workbench.sweeping.experiment import FOLDER, NAME

COLUMNS = 80
"""Width of the screen output."""

SHOWN = 10
"""Trials in the table on the screen, the best first."""

FILE = "study.md"


def figure(value: Any) -> str:
    """Return a value as tables show it: numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write(folder: Path, record: StudyRecord, pictures: Sequence[Path]) -> None:
    """Write ``study.md``, atomically."""
    write_text(folder / FILE, page(record, pictures))


def show(screen: Console, folder: Path, record: StudyRecord) -> None:
    """Print the best trials, notes, how to repeat the best one, and the conclusion last."""
    narrow = Console(file=screen.file, width=min(screen.width, COLUMNS), highlight=False, markup=False, emoji=False)
    finished = [one for one in record.trials if one.state == FINISHED]
    if finished:
        show_table(narrow, _trials(record, _ordered(record)[:SHOWN]))
    if record.smallest is not None:
        show_table(narrow, _values(record))
    for sentence in [*_without_result(record), *record.notes, *_on_importance(record)]:
        narrow.print(sentence)
    if record.experiment is not None:
        narrow.print(f"repeat the best: {repeated(folder)}", soft_wrap=True)
    narrow.print(f"page: {os.path.relpath(folder / FILE)}", soft_wrap=True)
    narrow.print(record.conclusion)


def repeated(folder: Path) -> str:
    """Return the command that repeats the best trial."""
    return f"ctxlab train --config-dir {shlex.quote(os.path.relpath(folder / FOLDER))} +experiment={NAME}"


def page(record: StudyRecord, pictures: Sequence[Path]) -> str:
    """Return the page as Markdown."""
    objectives = ", ".join(f"{direction} {name}" for name, direction in record.objectives.items())
    blocks = [
        f"# Sweep: {record.task}, {record.model}",
        f"{len(record.trials)} of {record.num_trials} trials by {record.sampler}: {objectives} on the "
        f"{record.selection_split} split.",
        "## Space",
        "\n".join(f"- `{key}`: `{_plain(form)}`" for key, form in record.space.items()),
    ]
    if record.smallest is not None:
        blocks += ["## The smallest that is enough", markdown(_values(record)).rstrip()]
    if record.trials:
        blocks += ["## Trials", markdown(_trials(record, _ordered(record))).rstrip()]
    blocks += [f"![{one.stem}]({one.name})" for one in pictures]
    rest = [*_without_result(record), *record.notes, record.importance_note]
    blocks += ["## Notes", "\n".join(f"- {sentence}" for sentence in rest)]
    blocks += ["## Command", f"```\n{shlex.join(record.command)}\n```"]
    if record.experiment is not None:
        blocks += [
            "## The best trial again",
            f"```\nctxlab train --config-dir <this directory>/{FOLDER} +experiment={NAME}\n```",
        ]
    return "\n\n".join([*blocks, "## Conclusion", record.conclusion]) + "\n"


def _plain(form: Any) -> str:
    return str(dict(form)).replace("'", "")


def _ordered(record: StudyRecord) -> list[TrialRecord]:
    """Return finished trials, the best by the first objective first, then the others in order."""
    lower = next(iter(record.objectives.values())) == "minimize"
    finished = [one for one in record.trials if one.values]
    finished.sort(key=lambda one: one.values[0] if lower else -one.values[0])
    return [*finished, *(one for one in record.trials if not one.values)]


def _trials(record: StudyRecord, trials: Sequence[TrialRecord]) -> Table:
    reported, primary = record.reported_split, next(iter(record.objectives))
    has_reported = reported is not None and any(primary in one.metrics.get(reported, {}) for one in trials)
    rows = []
    for one in trials:
        values = [figure(value) for value in one.values] or [one.state, *[""] * (len(record.objectives) - 1)]
        score = [figure(one.metrics.get(str(reported), {}).get(primary, ""))] if has_reported else []
        parameters = [figure(one.parameters.get(key, "")) for key in record.space]
        rows.append((str(one.number), *values, *score, *parameters, _clock(one.seconds)))
    columns = (
        "trial", *record.objectives, *([f"{primary}, {reported}"] if has_reported else []), *record.space, "s",
    )  # fmt: skip
    return Table("trials", f"Trials, chosen on the {record.selection_split} split", columns, rows)


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:,.0f}"


def _values(record: StudyRecord) -> Table:
    found = record.smallest
    assert found is not None
    rows = [
        (
            str(row["value"]),
            f"{row['score']:.3f}",
            str(row["num_seeds"]),
            "best" if row["value"] == found.best else _difference(row),
            "yes" if row["enough"] else "not shown",
        )
        for row in found.rows
    ]
    split = record.reported_split or record.selection_split
    title = f"{next(iter(record.objectives))} on the {split} split by {found.key}"
    return Table("values", title, (found.key, "score", "seeds", "difference, 95 %", "enough"), rows)


def _difference(row: Any) -> str:
    between = "" if row["low"] is None else f" [{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"{row['difference']:+.3f}{between}".replace("-", "−")


def _without_result(record: StudyRecord) -> list[str]:
    return [f"Trial {one.number}: {one.state}: {one.reason}" for one in record.trials if one.reason]


def _on_importance(record: StudyRecord) -> list[str]:
    """Return the sentence on importance where there is more than one key to tell apart."""
    return [record.importance_note] if len(record.space) > 1 and record.importance else []
