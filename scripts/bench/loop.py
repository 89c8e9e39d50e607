"""Step time of ctxlab's training loop over that of a bare torch loop on the same batches."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from ctxlab.command.compose import compose
from ctxlab.data.splits import load_documents
from ctxlab.runtime.collate import collate
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.training.loop import Trainer
from ctxlab.training.state import TrainState
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import make_parts
from ctxlab.workbench.trainer import Validation, make_trainer
from scripts.bench.timing import row

STEPS = 16


class Silent(AbstractContextManager["Silent"]):
    """A watcher that does nothing."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def step(self, progress: float, state: TrainState) -> None:
        """Nothing."""

    def row(self, row: Any) -> None:
        """Nothing."""


def loop(words: Sequence[str], folder: Path) -> tuple[Trainer, Workbench]:
    """Return the training loop that ``ctxlab train`` would run in ``folder``, and what it works with."""
    parts = make_parts(compose("train", list(words)), folder)
    opened = open_bench(parts, lambda task: load_documents(parts.data, task, parts.seed), learns=True, trains=True)
    bench = opened.bench
    trainer = make_trainer(
        parts,
        bench,
        documents=opened.documents.train,
        validation=Validation(bench, []),
        watcher=Silent(),
        memory=MemoryMeter(bench.accelerator.device),
    )
    return trainer, bench


def measure(_: Path) -> list[dict[str, Any]]:
    """Alternate single steps of both loops, each on its own copy of the model."""
    words = ["data.documents=16", "data.validation_documents=1", "tracking=none", "context=4096"]
    with tempfile.TemporaryDirectory() as folder:
        trainer, bench = loop(words, Path(folder))
        bare = bare_step(copy.deepcopy(bench.model), bf16=bench.accelerator.mixed_precision == "bf16")
        state, ours, theirs = TrainState(), [], []
        for index in range(STEPS + 2):
            epoch, progress = trainer._position(state)
            indices = epoch.steps[state.batch]
            pad_id = bench.tokenizer.pad_token_id
            batches = [
                collate([item.windows[0] for item in items], [item.labels[0] for item in items], pad_id)
                for items in trainer.accumulation._forward_groups(epoch, indices, None)
            ]
            started = perf_counter()
            trainer._step(state, epoch, progress)
            between = perf_counter()
            bare(batches)
            if index >= 2:  # the first steps warm up
                ours.append(between - started)
                theirs.append(perf_counter() - between)
    ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
    return [row("step time of the loop over a bare torch loop", ratio, at_most=1.05)]


def bare_step(model: torch.nn.Module, *, bf16: bool) -> Callable[[list[Any]], None]:
    """Return a step in plain torch: forward pass, backward pass, clipping, AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    model.train()

    def step(batches: list[dict[str, torch.Tensor]]) -> None:
        for batch in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), batch["labels"].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step
