"""A plan as ``plan.json`` and ``plan.md`` in its run directory, and on the screen."""

import os
import shlex
from collections.abc import Iterator
from typing import Any

from ctxlab.core.files import write_json, write_text
from ctxlab.core.types import Table
from ctxlab.planning.row import Row, as_dict
from ctxlab.reporting.tables import markdown, show
from ctxlab.tracking.console import clock, console
from ctxlab.workbench.planning.session import Plan

VERSION = 1
"""Version of ``plan.json``."""

NOT_VALIDATED = "estimated from published rates, not validated here"


def publish(plan: Plan) -> None:
    """Write both files, then print the table and a sentence for each candidate that does not fit or does not apply."""
    folder = plan.origin.run_dir
    write_json(folder / "plan.json", data(plan))
    write_text(folder / "plan.md", page(plan))
    screen = console()
    show(screen, table(plan))
    for sentence in _sentences(plan):
        screen.print(sentence, soft_wrap=True)
    screen.print(f"page: {os.path.relpath(folder / 'plan.md')}", soft_wrap=True)


def data(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data."""
    return {
        "version": VERSION,
        "stage": plan.origin.stage,
        "command": list(plan.origin.command),
        "task": plan.task,
        "device": plan.device.name if plan.device else "here",
        "validated": plan.device is None,
        "limit_memory_bytes": plan.limit_bytes,
        "limit_from": plan.limit_from,
        "budget": plan.budget,
        "candidates": [as_dict(row) for row in plan.rows],
    }


def page(plan: Plan) -> str:
    """Return the plan as Markdown."""
    blocks = [f"# Plan: {plan.task}", _about(plan), markdown(table(plan)).rstrip()]
    notes = [f"- {sentence}" for sentence in _sentences(plan)]
    blocks += [*(["## Notes", "\n".join(notes)] if notes else []), "## Details", markdown(_details(plan)).rstrip()]
    return "\n\n".join([*blocks, "## Command", f"```\n{shlex.join(plan.origin.command)}\n```"]) + "\n"


def table(plan: Plan) -> Table:
    """Return the table of all candidates that can be trained."""
    rows = [
        (
            row.title,
            {True: "yes", False: "NO", None: "?"}[row.fits],
            _range(row.peak_memory_bytes, row.peak_memory_bytes_range, 2**20, "{:,.0f}"),
            _range(row.seconds_per_step, row.seconds_per_step_range, 1, "{:.3g}"),
            f"{row.flops_per_step:.3g}",
            f"{row.steps:,}",
            clock(row.seconds or 0.0),
        )
        for row in plan.rows
        if row.applicable
    ]
    columns = ("candidate", "fits", "peak MiB", "s/step", "FLOPs/step", "steps", "time")
    return Table("plan", f"Cost of training, {plan.task}", columns, rows, note=_about(plan))


def _about(plan: Plan) -> str:
    where = f"On {plan.device.name}: {NOT_VALIDATED}" if plan.device else "Measured here on short steps, extrapolated"
    return f"{where}; memory of {plan.limit_from}; budget: {plan.budget}."


def _range(middle: float | None, bounds: tuple[float, float] | None, unit: float, form: str) -> str:
    if bounds is None:
        return form.format((middle or 0.0) / unit)
    return "–".join(form.format(bound / unit) for bound in bounds)


def _details(plan: Plan) -> Table:
    rows = [
        (
            row.title,
            row.precision,
            row.parameters,
            row.trainable_parameters,
            row.longest_window,
            f"{row.tokens_per_step:,.0f}",
            f"{row.epochs:.2f}",
            f"{row.flops:.3g}",
            f"{(row.disk_bytes or 0) / 2**20:,.0f}",
        )
        for row in plan.rows
        if row.applicable
    ]
    columns = (
        "candidate", "precision", "parameters", "trained", "window", "tokens/step", "epochs", "FLOPs", "disk MiB",
    )  # fmt: skip
    return Table("details", "Size and budget", columns, rows)


def _sentences(plan: Plan) -> Iterator[str]:
    for row in plan.rows:
        yield from _sentence(row, plan)


def _sentence(row: Row, plan: Plan) -> Iterator[str]:
    if not row.applicable:
        yield f"{row.title}: not applicable: {row.why}"
        return
    if row.fits is False:
        yield f"{row.title} does not fit ({plan.limit_from}): {row.remedy}."
    if row.why:
        yield f"{row.title}: {row.why}"
    if (
        row.longest_window is not None
        and row.context_length is not None
        and row.longest_window < row.context_length / 2
    ):
        yield (
            f"{row.title}: the longest window has {row.longest_window:,} tokens, so that the context of "
            f"{row.context_length:,} is not what costs."
        )
