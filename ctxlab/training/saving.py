"""Saving a training run: a checkpoint with everything that is needed to continue it to the bit."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctxlab.core.files import write_json, write_text
from ctxlab.core.optim import Tuning
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.models.loading.checkpointed import save_tokenizer, save_weights
from ctxlab.models.loading.reduced.rebuild import how_rebuilt
from ctxlab.runtime import sharded
from ctxlab.runtime.ranks import Ranks
from ctxlab.training import checkpoint
from ctxlab.training.faults import check_weights
from ctxlab.training.job import Job
from ctxlab.training.model_card import FILE as CARD
from ctxlab.training.model_card import card
from ctxlab.training.optimizer_file import OptimizerState, state_of, write_state
from ctxlab.training.state import TrainState

STATE = "state.json"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Weights and optimizer states of a run that are dealt to its processes, whole again at the first of them."""

    weights: Mapping[str, torch.Tensor]
    optimizer: OptimizerState


def gather(job: Job, ranks: Ranks) -> Gathered | None:
    """Return what the processes of a run have together; None where the first one has all of it anyway.

    All processes must call this.
    """
    if not sharded.is_dealt(job.model):
        return None
    named = sharded.named_weights(job.model)
    weights = sharded.gathered({name: named[name] for name in job.tuning.export(job.model)}, ranks)
    states = state_of(job.optimizer)
    return Gathered(weights, OptimizerState(sharded.gathered(states.tensors, ranks), states.rest))


def save(job: Job, state: TrainState, scaler: Any, gathered: Gathered | None = None) -> None:
    """Write a checkpoint, make it the latest one, and remove those that are not kept.

    Args:
        job: The run.
        state: Its state.
        scaler: Loss scaler of fp16; None without one.
        gathered: Weights and optimizer states that are dealt to several processes; None for those of ``job``.

    Raises:
        Diverged: A weight is not finite.
        UserError: The disk is full or not writable.
    """
    weights = job.model.named_parameters() if gathered is None else gathered.weights.items()
    check_weights(weights, state.step)
    state.peak_memory_bytes = max(state.peak_memory_bytes, job.peak_bytes())
    name = checkpoint.save(
        job.run_dir, state.step, lambda folder: _write(folder, job, state, scaler, gathered=gathered)
    )
    checkpoint.write_pointer(job.run_dir, "latest", name, step=state.step)
    if state.best_step == state.step:
        checkpoint.write_pointer(job.run_dir, "best", name, step=state.step, metric=state.best_metric)
    kept = [checkpoint.step_name(step) for step in state.cycle_ends]
    checkpoint.rotate(job.run_dir, job.settings.keep_checkpoints, kept)


def _write(folder: Path, job: Job, state: TrainState, scaler: Any, gathered: Gathered | None) -> None:
    optimizer = state_of(job.optimizer) if gathered is None else gathered.optimizer
    with ThreadPoolExecutor(1) as pool:  # the optimizer's file is the largest
        states = pool.submit(write_state, optimizer, folder / checkpoint.OPTIMIZER)
        job.averages.save(folder)
        with job.averages.applied():
            write_model(
                folder,
                job.task,
                job.strategy,
                tuning=job.tuning,
                model=job.model,
                tokenizer=job.tokenizer,
                context_length=job.context_length,
                step=state.step,
                weights=None if gathered is None else gathered.weights,
            )
    states.result()
    values = {
        "state": state.to_dict(),
        "task": job.task.name,
        "context_length": job.context_length,
        "configuration": dict(job.configuration),
        "scaler": scaler.state_dict() if scaler is not None else None,
    }
    write_json(folder / STATE, values)


def write_model(
    folder: Path,
    task: Task,
    strategy: Strategy,
    *,
    tuning: Tuning,
    model: Any,
    tokenizer: Any,
    context_length: int,
    step: int,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Write everything that is needed to use a model, but not to train it on.

    Args:
        folder: Folder of the checkpoint.
        task: Task of the run.
        strategy: Its strategy.
        tuning: Its tuning rule.
        model: Model with all of them installed.
        tokenizer: Its tokenizer.
        context_length: Context length in tokens.
        step: Steps of training.
        weights: Its weights by name where no process has them all; None for those of ``model``.
    """
    save_weights(model, tuning, folder, weights=weights)
    save_tokenizer(tokenizer, strategy.reading.longest(context_length), folder)
    page = card(
        task,
        strategy,
        tuning,
        model=type(model).__name__,
        context_length=context_length,
        step=step,
        rebuilt=how_rebuilt(model.config),
    )
    write_text(folder / CARD, page)


def read_state_file(folder: Path) -> dict[str, Any]:
    """Read ``state.json`` of a checkpoint: ``state``, ``task``, ``context_length``, ``configuration``, ``scaler``."""
    values: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return values
