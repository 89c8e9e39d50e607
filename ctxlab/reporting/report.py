"""Writes ``report.md``, the readable report of a run."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ctxlab.core.files import write_text
from ctxlab.core.result import Cost, Result
from ctxlab.core.types import Table
from ctxlab.reporting.references import CHANCE, references
from ctxlab.reporting.tables import markdown


def summary_table(result: Result) -> Table:
    """Return scores, coverage and cost of a run as rows of name and value."""
    rows: list[tuple[str, Any]] = [
        (f"{split} {name}", value) for split, figures in result.metrics.items() for name, value in figures.items()
    ]
    for split in result.metrics:
        levels = references(result, split)
        rows += [(f"{split} {result.primary_metric}, {level.name}", level.figure) for level in levels]
    for split, coverage in result.coverage.items():
        rows += [(f"{split} coverage, {what}", f"{share:.1%}") for what, share in asdict(coverage).items()]
    rows += _cost_rows(result.cost)
    rows.append(("checkpoint", result.checkpoint))
    return Table("summary", result.title, ("what", "value"), rows)


def _cost_rows(cost: Cost) -> list[tuple[str, Any]]:
    shown = {
        "train_tokens": lambda v: f"{v:,}",
        "train_seconds": lambda v: f"{v:,.1f} s",
        "tokens_per_second": lambda v: f"{v:,.0f}",
        "padding_share": lambda v: f"{v:.2%}",
        "peak_memory_bytes": lambda v: f"{v / 2**30:.2f} GiB",
        "flops": lambda v: f"{v:.3g} (estimated)",
        "matrix_rate_share": lambda v: f"{v:.1%} of this machine's matrix products per second",
        "parameters": lambda v: f"{v:,}",
        "trainable_parameters": lambda v: f"{v:,}",
    }
    given = asdict(cost)
    return [(name.replace("_", " "), show(given[name])) for name, show in shown.items() if given[name] is not None]


def _with_chance(table: Table) -> Table:
    """Return a table whose note says the figure of random guessing, if it is known."""
    if table.chance is None or table.note.startswith(CHANCE):
        return table
    return replace(table, note="; ".join(part for part in (f"{CHANCE} {table.chance:.2f}", table.note) if part))


def write_report(
    path: Path,
    result: Result,
    tables: Mapping[str, Sequence[Table]],
    pictures: Sequence[Path],
    config: str,
    learned: Sequence[Table] = (),
) -> None:
    """Write the report: summary, notes, tables of each split and of what was learned, pictures, configuration.

    Args:
        path: File of the report.
        result: Result of the run.
        tables: Tables of each split.
        pictures: Image files in the folder of the report.
        config: Composed configuration as YAML.
        learned: Tables of what the strategy learned.
    """
    summary = summary_table(result)
    parts = [
        f"# {summary.title}",
        "",
        f"Primary metric: {result.primary_metric}.",
        "",
        markdown(replace(summary, title="Scores and cost")),
    ]
    if result.notes:
        parts += ["## Notes", "", *(f"- {note}" for note in result.notes), ""]
    for split, split_tables in tables.items():
        parts += [f"## {split.capitalize()} split", "", *(markdown(_with_chance(table)) for table in split_tables)]
    if learned:
        parts += ["## What the strategy learned", "", *(markdown(table) for table in learned)]
    parts += [f"![{picture.stem}]({picture.name})\n" for picture in pictures]
    if result.command:
        parts += ["## Command", "", "```", shlex.join(result.command), "```", ""]
    parts += ["## Configuration", "", "```yaml", config.rstrip(), "```", ""]
    write_text(path, "\n".join(parts))
