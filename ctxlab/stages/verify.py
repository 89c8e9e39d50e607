"""``ctxlab verify``: check on the user's own model that a strategy is active, or name what is not."""

import copy
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ctxlab.core.architecture import vocabulary_size
from ctxlab.core.errors import CheckFailed, UserError
from ctxlab.core.parts import Part
from ctxlab.core.result import Cost, Verification, write
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.core.types import Encoded, IntArray
from ctxlab.data.splits import Splits, load_split
from ctxlab.models.loading.checkpointed import Checkpointed, save_weights
from ctxlab.models.loading.heads import POOLED
from ctxlab.reporting.tables import show
from ctxlab.reporting.verification import Panel, draw_reach, write_page
from ctxlab.runtime.ranks import current
from ctxlab.tracking.console import ProgressDisplay, console
from ctxlab.verification.check import Check, failures, table
from ctxlab.verification.checks import run_checks
from ctxlab.verification.fused import run_fused_checks
from ctxlab.verification.reach import Reach, picture
from ctxlab.verification.saving import CheckpointIO
from ctxlab.verification.subject import Subject
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.context_parallel import open_part
from ctxlab.workbench.finish import git_sha, versions
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Run all checks, show and write them; the table is written whether or not they pass.

    Raises:
        CheckFailed: A check fails.
    """
    started, options = perf_counter(), parts.options
    # Rounding would hide small faults.
    parts = replace(parts, trainer=replace(parts.trainer, precision="fp32"))
    fuses = parts.strategy.reading.fuses
    opened = open_bench(
        parts,
        lambda task: _documents(parts, task),
        scored=("train",),
        learns=parts.start is None,
        refuse=lambda task: _refuse(task, fuses=fuses),
    )
    bench, documents = opened.bench, opened.documents.train[: options.documents]
    ranks = current()
    part = open_part(bench, ranks)
    encoded = bench.encode(documents)
    subject = _subject(parts, bench, encoded, part)
    checkpoints = CheckpointIO(
        save=lambda model, folder: save_weights(model, parts.tuning, folder),
        # Of several processes, the library lets only the first one save.
        load=lambda folder: _reload(parts, bench, Path(ranks.told(str(folder)))),
    )
    trained = parts.start is not None
    with ProgressDisplay("verify") as display:
        if fuses:
            checks, panels = run_fused_checks(
                subject, encoded, checkpoints, trained=trained, done=lambda share: display.update(share, "windows")
            )
        else:
            results = run_checks(
                subject,
                bench.reader(),
                task=bench.task,
                documents=documents,
                encoded=encoded,
                checkpoints=checkpoints,
                trained=trained,
                num_blocks=options.blocks,
                num_single=options.tokens,
                done=lambda share: display.update(share, "reach"),
            )
            checks, panels = results.checks, _panels(results.reach)
    if ranks.leads:
        _write_outputs(parts, bench, checks=checks, panels=panels, seconds=perf_counter() - started)
    if failed := failures(checks):
        report = os.path.relpath(parts.origin.run_dir / "report.md")
        raise CheckFailed(f"{len(failed)} of {len(checks)} checks fail ({', '.join(failed)}): see {report}.")


def _refuse(task: Task, *, fuses: bool) -> None:
    """Refuse tasks without an output for each token, naming one that has them; ``fuses`` is that of the reading."""
    if task.generates and fuses:
        return
    if task.generates:
        other = "lm" if task.head == "causal_lm" else "ner"
        raise UserError(
            f"task={task.name} generates text, but verify needs an output for every token it reads: "
            f"verify the same model and strategy with task={other}."
        )
    if not task.runs_model:
        raise UserError(
            f"task={task.name} with these options runs no model, so that there is nothing to verify: verify the same "
            "model and strategy with task=ner or task=lm."
        )
    if task.head in POOLED:
        raise UserError(
            f"task={task.name} has one output per window, but verify needs an output for every token: "
            "verify the same model and strategy with task=ner."
        )


def _documents(parts: Parts, task: Task) -> Splits:
    """Load the first split with gold labels, as the one to collect labels from."""
    for split in ("validation", "train", "test"):
        documents = load_split(parts.data, task, split, parts.data_seed)
        if documents:
            return Splits(train=documents, validation=[], test=[])
    raise UserError("There are no documents to verify with; give data.validation_file=<file> or use data=generated.")


def _subject(parts: Parts, bench: Workbench, encoded: Sequence[Encoded], part: Part | None) -> Subject:
    return Subject(
        model=bench.model,
        strategy=bench.strategy,
        facts=bench.facts,
        length=bench.length,
        tokens=_usual_tokens(bench),
        example=encoded[0],
        pad_id=bench.tokenizer.pad_token_id,
        device=bench.accelerator.device,
        seed=parts.seed,
        part=part,
    )


def _usual_tokens(bench: Workbench) -> IntArray:
    """Return the token ids of the model's vocabulary that are not special tokens."""
    size = min(len(bench.tokenizer), vocabulary_size(bench.model))
    special = {*bench.tokenizer.all_special_ids, bench.tokenizer.pad_token_id}
    return np.array([token for token in range(size) if token not in special], dtype=np.int64)


def _reload(parts: Parts, bench: Workbench, folder: Path) -> tuple[Any, Strategy]:
    """Load the checkpoint as any stage does, with a new strategy, because parts keep a reference to their model."""
    source, strategy, task = Checkpointed(str(folder)), copy.deepcopy(parts.strategy), copy.copy(bench.task)
    task.notes = []
    model, _ = assemble(
        strategy,
        source,
        task=task,
        tuning=parts.tuning,
        length=bench.length,
        knowledge=copy.deepcopy(parts.knowledge),
    )
    source.load_added_modules(model)
    source.load_tuning(model, parts.tuning)
    return model.to(bench.accelerator.device).eval(), strategy


def _write_outputs(
    parts: Parts, bench: Workbench, checks: list[Check], panels: Sequence[Panel], seconds: float
) -> None:
    """Write picture, page and, last, the result, whose presence marks the run complete; print the table.

    Args:
        parts: The run.
        bench: What was verified.
        checks: Results of the checks.
        panels: Pictures of what depends on what.
        seconds: Time that it took.
    """
    run_dir, start = parts.origin.run_dir, parts.start
    title = (
        f"verify: {bench.task.name}, {start.folder if start else parts.model.name}, {bench.strategy.name}, "
        f"context {bench.length:,}, seed {parts.seed}"
    )
    shown, failed = table(checks, title), failures(checks)
    drawn = draw_reach(run_dir / "verify.png", title, panels)
    notes = [
        "All but `positions` and `checkpoint` were computed in double precision.",
        "Deviations are relative to the size of the states; where influence is missing, the fraction that is missing.",
        *bench.task.notes,
    ]
    write_page(
        run_dir / "report.md",
        shown,
        notes=notes,
        pictures=[drawn],
        config=(run_dir / "config.yaml").read_text(encoding="utf-8"),
    )
    verification = Verification(
        stage=parts.origin.stage,
        task=bench.task.name,
        model=parts.model.name,
        strategy=bench.strategy.name,
        context_length=bench.length,
        seed=parts.seed,
        cost=Cost(verify_seconds=seconds),
        command=parts.origin.command,
        git_sha=git_sha(),
        versions=versions(),
        notes=notes,
        run=str(start.folder) if start else None,
        passed=not failed,
        failed=failed,
        checks={check.name: asdict(check) for check in checks},
    )
    write(run_dir, verification)
    screen = console()
    show(screen, shown)
    screen.print(f"{seconds:.0f} s; report with picture: {os.path.relpath(run_dir / 'report.md')}", soft_wrap=True)


def _panels(reach: Reach) -> list[Panel]:
    """Return pictures of the first layer, if it was observed, and of the outputs."""
    levels = [0, len(reach.names) - 1] if len(reach.names) > 1 else [0]
    return [(reach.names[level], *picture(reach, level)) for level in levels]
