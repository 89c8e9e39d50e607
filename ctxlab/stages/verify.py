"""``ctxlab verify``: proof on the user's own model that a strategy is active, or the name of what is not."""

import copy
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from omegaconf import DictConfig

from ctxlab.config.build import build
from ctxlab.core.data import Source
from ctxlab.core.errors import CheckFailed, UserError
from ctxlab.core.invocation import command
from ctxlab.core.model import ModelSource
from ctxlab.core.result import Cost, Verification, write
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded, IntArray
from ctxlab.data.splits import load_split
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.loading.heads import POOLED
from ctxlab.reporting.tables import show
from ctxlab.reporting.verification import Panel, draw_reach, write_page
from ctxlab.tracking.console import ProgressDisplay, console
from ctxlab.verification.check import table
from ctxlab.verification.proof import Proof, prove
from ctxlab.verification.reach import Reach, picture
from ctxlab.verification.subject import Subject
from ctxlab.workbench.assemble import Workbench, assemble, build_model, build_strategy, build_task
from ctxlab.workbench.finish import Labels, git_sha, versions
from ctxlab.workbench.trained import load_trained, source_of


def run(cfg: DictConfig, run_dir: Path) -> None:
    """Prove, show and write down; the table is left whatever comes out.

    Raises:
        CheckFailed: Something does not hold.
    """
    started = perf_counter()
    bench, documents = _bench(cfg)
    encoded = bench.encode(documents)
    with ProgressDisplay("verify") as display:
        proof = prove(
            _subject(cfg, bench, encoded),
            bench.reader(),
            bench.task,
            documents,
            encoded,
            lambda folder: _reload(cfg, bench, folder),
            trained=bool(cfg.run),
            num_blocks=cfg.blocks,
            num_single=cfg.tokens,
            done=lambda share: display.update(share, "reach"),
        )
    _leave(cfg, run_dir, bench, proof, perf_counter() - started)
    if proof.failed:
        raise CheckFailed(
            f"{len(proof.failed)} of {len(proof.checks)} checks fail ({', '.join(proof.failed)}): "
            f"see {os.path.relpath(run_dir / 'report.md')}."
        )


def _bench(cfg: DictConfig) -> tuple[Workbench, list[Document]]:
    """Model and strategy, of a run or new, and a few documents with gold."""
    source = source_of(cfg)
    task = build_task(cfg, source)
    if task.writes:
        other = "lm" if task.head == "causal_lm" else "ner"
        raise UserError(
            f"task={cfg.task.name} writes text, and verify looks at what every token read is influenced by: "
            f"verify the same model and strategy with task={other}."
        )
    if not task.runs_model:
        raise UserError(
            f"task={cfg.task.name} with these options runs no model, and there is nothing to verify: verify the same "
            "model and strategy with task=ner or task=lm."
        )
    if task.head in POOLED:
        raise UserError(
            f"task={cfg.task.name} has one output a window, and verify looks at what every token is influenced by: "
            "verify the same model and strategy with task=ner."
        )
    cfg = copy.deepcopy(cfg)
    cfg.trainer.precision = "fp32"  # rounding would hide small faults
    if cfg.run:
        bench = load_trained(cfg).bench
        documents = _documents(cfg, bench.task)
        bench.task.check_labels(documents)
    else:
        documents = _documents(cfg, task)
        task.learn_labels(documents)
        bench = assemble(cfg, task, source)
        bench.accelerator.prepare_model(bench.model, evaluation_mode=True)
    return bench, documents[: cfg.documents]


def _documents(cfg: DictConfig, task: Task) -> list[Document]:
    source = build(cfg.data, Source)
    for split in ("validation", "train", "test"):
        documents = load_split(source, task, split, cfg.seed)
        if documents:
            return documents
    raise UserError("There are no documents to verify with; give data.validation_file=<file> or use data=generated.")


def _subject(cfg: DictConfig, bench: Workbench, encoded: Sequence[Encoded]) -> Subject:
    return Subject(
        model=bench.model,
        strategy=bench.strategy,
        facts=bench.facts,
        length=bench.length,
        tokens=_usual_tokens(bench),
        example=encoded[0],
        pad_id=bench.tokenizer.pad_token_id,
        device=bench.accelerator.device,
        seed=cfg.seed,
    )


def _usual_tokens(bench: Workbench) -> IntArray:
    """Ids that are in the model's vocabulary and mean nothing special."""
    size = min(len(bench.tokenizer), bench.model.config.get_text_config().vocab_size)
    special = {*bench.tokenizer.all_special_ids, bench.tokenizer.pad_token_id}
    return np.array([token for token in range(size) if token not in special], dtype=np.int64)


def _reload(cfg: DictConfig, bench: Workbench, folder: Path) -> tuple[Any, Strategy]:
    """The checkpoint as any stage loads it, with a strategy of its own: parts keep hold of the model they are in."""
    source: ModelSource = Checkpointed(str(folder))
    strategy, task = build_strategy(cfg), copy.copy(bench.task)
    task.notes = []
    model, _ = build_model(strategy, source, task, bench.length)
    Checkpointed(str(folder)).load_parts(model)
    return model.to(bench.accelerator.device).eval(), strategy


def _leave(cfg: DictConfig, run_dir: Path, bench: Workbench, proof: Proof, seconds: float) -> None:
    """Picture, page and result (last: it says that the run is whole), and the table on the screen."""
    title = (
        f"verify: {bench.task.name}, {cfg.run or Labels.of(cfg).model}, {bench.strategy.name}, "
        f"context {bench.length:,}, seed {cfg.seed}"
    )
    checks = table(proof.checks, title)
    drawn = draw_reach(run_dir / "verify.png", title, _panels(proof.reach))
    notes = [
        "All but `positions` and `checkpoint` were computed in double precision.",
        "Deviations are relative to the size of the states; where something is missing, the share of it.",
        *bench.task.notes,
    ]
    write_page(run_dir / "report.md", checks, notes, [drawn], (run_dir / "config.yaml").read_text(encoding="utf-8"))
    labels = Labels.of(cfg)
    verification = Verification(
        stage="verify",
        task=bench.task.name,
        model=labels.model,
        strategy=bench.strategy.name,
        context_length=bench.length,
        seed=labels.seed,
        cost=Cost(verify_seconds=seconds),
        command=command(),
        git_sha=git_sha(),
        versions=versions(),
        notes=notes,
        run=cfg.run,
        passed=not proof.failed,
        failed=proof.failed,
        checks={check.name: asdict(check) for check in proof.checks},
    )
    write(run_dir, verification)
    screen = console()
    show(screen, checks)
    screen.print(f"{seconds:.0f} s; report with picture: {os.path.relpath(run_dir / 'report.md')}", soft_wrap=True)


def _panels(reach: Reach) -> list[Panel]:
    """The first layer, where it could be seen, and the outputs."""
    levels = [0, len(reach.names) - 1] if len(reach.names) > 1 else [0]
    return [(reach.names[level], *picture(reach, level)) for level in levels]
