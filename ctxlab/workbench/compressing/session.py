"""The steps of ``ctxlab compress``: compress, write, heal. What is scored is what was loaded from the disk."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ctxlab.config.build import build
from ctxlab.config.keys.run import TrainerConfig
from ctxlab.config.keys.working import CompressOptions
from ctxlab.core.architecture import installed, note_installed
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.contract import option
from ctxlab.core.errors import Interrupted, UserError
from ctxlab.core.files import write_json
from ctxlab.core.model import TUNING
from ctxlab.core.optim import OptimizerFactory
from ctxlab.core.tracking import Tracker
from ctxlab.models.loading.reduced.rebuild import FAMILY
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.training import checkpoint, saving
from ctxlab.training.state import TrainState
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.compressing.original import SCORED, Original, load, reads
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import Parts, Start
from ctxlab.workbench.trainer import Validation, make_trainer
from ctxlab.workbench.watch import TrainingWatcher

STEPS = 40
"""Steps of healing where none are given."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What a command asks for."""

    mechanism: Compression
    name: str
    """Option of the mechanism."""
    steps: int
    """Steps of healing."""


def plan(parts: Parts) -> Plan:
    """Return what the command asks for.

    Raises:
        UserError: The mechanism is not valid, or steps were asked for where there is nothing to heal.
    """
    options: CompressOptions = parts.options
    if parts.start is None:
        raise UserError("ctxlab compress needs a run: add run=<directory of a training run>.")
    if parts.trainer.processes > 1:
        raise UserError(f"trainer.processes={parts.trainer.processes}: ctxlab compress uses one process; leave it out.")
    mechanism = build(options.compression, Compression)
    name, asked = option(mechanism), options.healing.steps
    if asked and not mechanism.heals:
        raise UserError(
            f"healing.steps={asked} has nothing to do after compression={name}, which loses nothing on the training "
            "documents or leaves nothing to be trained: leave it out."
        )
    return Plan(mechanism, name, (STEPS if mechanism.heals else 0) if asked is None else asked)


def compress(parts: Parts, asked: Plan, original: Original) -> Compressed:
    """Write the compressed model of ``original`` as the first checkpoint of the run.

    It is made from a checkpoint with merged adapters, whose place it takes.

    Args:
        parts: The command.
        asked: What it asks for.
        original: The run.

    Raises:
        UserError: The model cannot be compressed, or the disk is full.
    """
    bench = original.opened.bench
    _write(parts, bench, bench.tokenizer, weights=original.tuning.export(bench.model))
    merged = open_written(parts)
    documents, model = merged.documents.train, merged.bench.model
    found = asked.mechanism.compress(
        Subject(
            model,
            merged.bench.tokenizer,
            merged.bench.encode(documents),
            read=reads(merged.bench, documents[: parts.options.sample_documents], parts.seed),
        )
    )
    note = installed(model.config, FAMILY) | dict(found.note)
    note |= {"made_from": original.name, "steps": [*note.get("steps", ()), f"{asked.name}: {found.summary}"]}
    note_installed(model.config, FAMILY, note)
    _write(parts, merged.bench, found.tokenizer)
    return found


def _write(parts: Parts, bench: Workbench, tokenizer: Any, weights: Mapping[str, torch.Tensor] | None = None) -> None:
    """Write a model as the checkpoint of step 0, which is then the best and the latest.

    Args:
        parts: The command.
        bench: Has the model.
        tokenizer: Its tokenizer.
        weights: The weights, where they are not those of the model as it is.
    """
    run_dir = parts.origin.run_dir

    def write(folder: Path) -> None:
        saving.write_model(
            folder, bench.task, bench.strategy, tuning=parts.tuning, model=bench.model, tokenizer=tokenizer,
            context_length=bench.length, step=0, weights=weights,
        )  # fmt: skip
        (folder / TUNING).unlink(missing_ok=True)  # adapters are in the weights now
        values = {"state": TrainState().to_dict(), "task": bench.task.name, "context_length": bench.length}
        write_json(folder / saving.STATE, values)

    name = checkpoint.save(run_dir, 0, write)
    for pointer in ("latest", "best"):
        checkpoint.write_pointer(run_dir, pointer, name, step=0)


def open_written(parts: Parts) -> Opened:
    """Open the best checkpoint of this run, from the disk, for evaluation."""
    own = replace(parts, start=Start(parts.origin.run_dir, "best"))
    return open_bench(own, lambda task: load(parts, task), scored=SCORED)


def heal(parts: Parts, steps: int, tracker: Tracker, memory: MemoryMeter) -> TrainState:
    """Train the compressed model with the original as teacher; its last checkpoint becomes the best.

    Args:
        parts: The command, whose objective has the teacher.
        steps: Training steps.
        tracker: Receives the figures.
        memory: Meter started with the command.

    Raises:
        UserError: The objective does not fit the task, or the disk is full.
        Interrupted: A signal was received; says that healing is not continued but done again.
    """
    own = replace(
        parts,
        start=Start(parts.origin.run_dir, "latest"),
        trainer=_budget(parts.trainer, steps),
        optimizer=_with_rate(parts.optimizer, parts.options.healing.lr),
    )
    opened = open_bench(own, lambda task: load(parts, task), scored=SCORED, trains=True)
    trainer = make_trainer(
        own,
        opened.bench,
        documents=opened.documents.train,
        validation=Validation(opened.bench, []),
        watcher=TrainingWatcher(tracker, memory),
        memory=memory,
    )
    try:
        state = trainer.run(TrainState())
    except Interrupted as error:
        raise Interrupted(
            error.signal_number, "Stopped while healing; the original is as it was: give the command again."
        ) from error
    run_dir = parts.origin.run_dir
    checkpoint.write_pointer(run_dir, "best", checkpoint.step_name(state.step), step=state.step)
    return state


def _budget(settings: TrainerConfig, steps: int) -> TrainerConfig:
    """Return the settings of the run with ``steps`` as the only limit."""
    return replace(
        settings,
        max_steps=steps,
        max_epochs=None,
        max_seconds=None,
        max_tokens=None,
        max_flops=None,
        eval_every_steps=None,
        early_stopping_patience=None,
        context_parallel=1,
    )


def _with_rate(optimizer: OptimizerFactory, rate: float | None) -> OptimizerFactory:
    if rate is None:
        return optimizer
    changed = copy.copy(optimizer)
    changed.lr = rate
    return changed
