"""Opening a bundle: the run's own reading, decoding and scoring around a model that a runtime computes."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctxlab.config.keys.run import TrainerConfig
from ctxlab.core import bundle
from ctxlab.core.bundle import Bundle
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.runtime import Runtime
from ctxlab.evaluation.evaluator import metric
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.runtime.device import make_accelerator
from ctxlab.runtime.exported_model import ExportedModel
from ctxlab.training.state import TrainState
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.fit import fit_lengths, window_notes
from ctxlab.workbench.opening import Load, Opened, Refuse, task_for
from ctxlab.workbench.parts import Parts


def bundle_of(parts: Parts) -> Path | None:
    """Return the folder of the bundle that a command starts from, or None; checks that the runtime fits.

    Raises:
        UserError: The runtime needs a bundle and there is none, or another runtime is needed.
    """
    folder = None if parts.start is None else bundle.here(parts.start.folder)
    if folder is None:
        if parts.runtime is not None and not parts.runtime.trains:
            name = option(parts.runtime)
            start = f"run={parts.start.folder}" if parts.start else "run=<run directory>"
            raise UserError(
                f"runtime={name} computes with the bundle of an export, and {start} is none: ctxlab export {start} "
                f"export={name} first, then give run=<the bundle>."
            )
        return None
    if parts.runtime is None:
        raise UserError(f"{folder} is the bundle of an export: ctxlab eval, predict, serve and monitor read it.")
    return folder


def open_bundle(parts: Parts, folder: Path, load: Load, *, scored: Sequence[str], refuse: Refuse) -> Opened:
    """Connect task, documents, strategy and the exported model, in the order of ``open_bench``.

    Args:
        parts: The run; copies of its task and strategy are opened.
        folder: The bundle.
        load: Loads the documents of the stage.
        scored: Splits whose gold labels must be labels of the model.
        refuse: Checks the task before anything is read.

    Raises:
        UserError: The bundle is damaged, or does not fit the command.
    """
    found, runtime = bundle.read(folder), parts.runtime
    assert runtime is not None
    _check(parts, folder, found, runtime)
    source = Checkpointed(str(folder), name=parts.model.name)
    task = task_for(parts.task, source)
    refuse(task)
    metric(task.metric)
    task.labels = source.labels()
    if scored and parts.data.invented and not bundle.read_settings(folder).own_documents:
        raise UserError(
            f"{folder} has no documents, and its run had files of its own: give data.{scored[0]}_file=<file>."
        )
    documents = load(task)
    knowledge = copy.deepcopy(parts.knowledge)
    knowledge.teach(task)
    for split in scored:
        task.check_labels(documents.of(split))
    strategy = copy.deepcopy(parts.strategy)
    fit_lengths(strategy, found.facts.trained_length, parts.length)
    strategy.reading.fit_merge(causal=found.facts.kind == "decoder", next_token=task.contiguous)
    task.notes.extend([*documents.notes, *window_notes(strategy, found.facts, parts.length), _note(found, runtime)])
    model = ExportedModel(runtime.open(folder / found.file), source.config())
    tokenizer = source.tokenizer()
    task.prepare(tokenizer)
    bench = Workbench(
        task=task,
        tokenizer=tokenizer,
        model=model,
        strategy=strategy,
        facts=found.facts,
        accelerator=make_accelerator("cpu", "fp32"),
        length=parts.length,
        settings=_on_cpu(parts.trainer),
        privacy=parts.privacy,
    )
    return Opened(bench, documents, state=TrainState(), checkpoint=None, origin=str(folder))


def _check(parts: Parts, folder: Path, found: Bundle, runtime: Runtime) -> None:
    """Refuse what a bundle cannot do.

    Raises:
        UserError: Names the value and the fix.
    """
    if found.runtime != option(runtime):
        raise UserError(
            f"runtime={option(runtime)} does not compute {found.file} of {folder}: give runtime={found.runtime}."
        )
    runtime.check()
    trainer = parts.trainer
    if trainer.device == "cuda" or trainer.precision in ("bf16", "fp16"):
        given = "device=cuda" if trainer.device == "cuda" else f"precision={trainer.precision}"
        raise UserError(f"trainer.{given}: a bundle computes on the CPU in fp32; leave it out.")
    if found.task != parts.task.name:
        raise UserError(f"{folder} is of task {found.task}, not {parts.task.name}; drop task={parts.task.name}.")
    if parts.length > found.context_length:
        raise UserError(
            f"context.length={parts.length} is more than the {found.context_length:,} tokens that {folder} was "
            f"exported for: give context={found.context_length} or less, or export the run with context={parts.length}."
        )


def _note(found: Bundle, runtime: Runtime) -> str:
    weights = "int8 weights" if found.int8 else "fp32"
    return (
        f"The model is a bundle ({found.format}, {weights}) of the run {found.run}, {found.checkpoint}, computed by "
        f"runtime={option(runtime)}: operations are not counted."
    )


def _on_cpu(trainer: TrainerConfig) -> TrainerConfig:
    return replace(trainer, device="cpu", precision="fp32")
