"""Output of a run in stages: the matrix of scores, its figures, result.json, report.md, a table and a picture."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ctxlab.core.files import write_json
from ctxlab.core.result import Cost, Result, read, rows
from ctxlab.core.result import write as write_result
from ctxlab.core.types import Coverage, Table
from ctxlab.evaluation.transfer import Transfer, transfer
from ctxlab.reporting.matrix import draw_matrix
from ctxlab.reporting.report import summary_table, write_report
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import console, say
from ctxlab.workbench.continuing.judging import Cell
from ctxlab.workbench.continuing.plan import FOLDER, Stage
from ctxlab.workbench.finish import git_sha, versions
from ctxlab.workbench.parts import Parts

BEFORE = "untrained.json"
"""File with the scores of the model before the first stage."""

Facts = Mapping[str, Any]
"""``metric``, ``lower_is_better`` and ``split``."""


def keep(run_dir: Path, untrained: tuple[Sequence[Cell], Facts]) -> tuple[list[Cell], Facts]:
    """Write the scores of the untrained model, and return them."""
    cells, facts = untrained
    write_json(run_dir / BEFORE, {"cells": [asdict(cell) for cell in cells], **facts})
    return list(cells), facts


def before(run_dir: Path) -> tuple[list[Cell], Facts] | None:
    """Return what ``keep`` wrote; None if it did not."""
    path = run_dir / BEFORE
    if not path.is_file():
        return None
    facts = json.loads(path.read_text(encoding="utf-8"))
    return [Cell(**cell) for cell in facts.pop("cells")], facts


def scored(stages: Sequence[Stage], judged: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    """Return row i, column j: documents of stage j after stage i, by the weights that the mechanism reads them with."""
    continual, numbers = stages[0].parts.continual, range(len(stages))
    return [[judged[continual.scores_with(after, on)][on] for on in numbers] for after in numbers]


def write(
    parts: Parts, stages: Sequence[Stage], cells: Sequence[Sequence[Cell]], base: Sequence[Cell], facts: Facts
) -> None:
    """Write result, report and picture, and print the matrix; the result last.

    Args:
        parts: The run.
        stages: Its stages.
        cells: Scores after each stage on the documents of each.
        base: Scores of the untrained model on the documents of each.
        facts: About the task.
    """
    metric, run_dir = facts["metric"], parts.origin.run_dir
    scores = [[cell.metrics[metric] for cell in row] for row in cells]
    start = [cell.metrics[metric] for cell in base]
    figures = transfer(scores, start, lower_is_better=facts["lower_is_better"])
    table = matrix(stages, scores, start=start, figures=figures, facts=facts)
    result = _result(parts, stages, cells=cells, figures=figures, table=table, facts=facts)
    picture = draw_matrix(run_dir / "stages.png", table)
    config = (run_dir / "config.yaml").read_text(encoding="utf-8")
    write_report(run_dir / "report.md", result, tables={facts["split"]: [table]}, pictures=[picture], config=config)
    write_result(run_dir, result)
    screen = console()
    show(screen, table)
    if parts.origin.group:
        return
    show(screen, summary_table(result))
    for note in result.notes:
        say(screen, f"note: {note}")
    screen.print(f"report: {os.path.relpath(run_dir / 'report.md')}", soft_wrap=True)


def matrix(
    stages: Sequence[Stage], scores: Sequence[Sequence[float]], start: Sequence[float], figures: Transfer, facts: Facts
) -> Table:
    """Return the matrix of scores as a table: a row after each stage, a column for the documents of each.

    Args:
        stages: The stages.
        scores: Row i after stage i, column j on the documents of stage j.
        start: Scores of the untrained model.
        figures: Computed from both.
        facts: About the task.
    """
    numbers = [str(stage.number + 1) for stage in stages]
    names = [n if n == stage.title else f"{n} {stage.title}" for n, stage in zip(numbers, stages, strict=True)]
    note = (
        f"ACC (mean of the last row) {figures.accuracy:.3f}; BWT (last row less diagonal, below 0: forgotten) "
        f"{figures.backward:+.3f}; FWT (just before a stage less untrained) {figures.forward:+.3f}"
    )
    body = [("untrained", *start), *((f"after {name}", *row) for name, row in zip(names, scores, strict=True))]
    title = f"{facts['metric']} on the {facts['split']} documents of each stage"
    return Table("stages", title, ("trained", *(f"on {name}" for name in names)), body, note=note)


def _result(
    parts: Parts,
    stages: Sequence[Stage],
    cells: Sequence[Sequence[Cell]],
    figures: Transfer,
    table: Table,
    facts: Facts,
) -> Result:
    """Return the content of ``result.json``: the score is ACC, the costs those of all stages."""
    results, last, split = [read(stage.folder) for stage in stages], cells[-1], facts["split"]
    mean = {name: sum(cell.coverage[name] for cell in last) / len(last) for name in last[0].coverage}
    return Result(
        stage=parts.origin.stage,
        task=results[-1].task,
        model=parts.model.name,
        strategy=parts.strategy.name,
        context_length=parts.length,
        seed=parts.seed,
        cost=_cost([one.cost for one in results]),
        command=parts.origin.command,
        git_sha=git_sha(),
        versions=versions(),
        notes=[
            f"Stage {number}: {note}"
            for number, one in enumerate(results, start=1)
            for note in dict.fromkeys(one.notes)
        ],
        metrics={
            split: {
                facts["metric"]: figures.accuracy,
                "backward_transfer": figures.backward,
                "forward_transfer": figures.forward,
            }
        },
        primary_metric=facts["metric"],
        lower_is_better=facts["lower_is_better"],
        coverage={split: Coverage(**mean)},
        checkpoint=f"{FOLDER}/{len(stages)}/{results[-1].checkpoint}",
        breakdowns={split: {table.name: rows(table)}},
    )


def _cost(costs: Sequence[Cost]) -> Cost:
    """Return the sums of the costs of all stages; the largest memory, and the parameters of the last one."""
    summed = (
        "train_tokens",
        "train_seconds",
        "train_cpu_seconds",
        "train_steps",
        "train_epochs",
        "evaluation_tokens",
        "evaluation_seconds",
        "evaluation_documents",
        "flops",
    )
    total: dict[str, Any] = {name: sum(getattr(cost, name) or 0 for cost in costs) for name in summed}
    seconds = total["train_seconds"]
    return Cost(
        **total,
        threads=costs[-1].threads,
        tokens_per_second=total["train_tokens"] / seconds if seconds else 0.0,
        peak_memory_bytes=max(cost.peak_memory_bytes or 0 for cost in costs),
        parameters=costs[-1].parameters,
        trainable_parameters=costs[-1].trainable_parameters,
    )
