"""``ctxlab train``: fine-tune a model on documents and score the best checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.result import Cost, Result, as_dict
from ctxlab.core.task import Task
from ctxlab.core.tracking import Tracker
from ctxlab.data.splits import Splits, load_documents
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.optim.parameters import count_parameters
from ctxlab.runtime import sharded
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.runtime.ranks import current
from ctxlab.training import checkpoint
from ctxlab.training.state import TrainState
from ctxlab.workbench import disk, sanity
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.continuing import session as continuing
from ctxlab.workbench.finish import Split, make_result, score_split, with_references, write_outputs
from ctxlab.workbench.meter import start_meter
from ctxlab.workbench.opening import Load, Opened, open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.sharded import take_weights
from ctxlab.workbench.trainer import Validation, make_trainer
from ctxlab.workbench.watch import TrainingWatcher, announce, open_tracker


def run(parts: Parts) -> None:
    """Train under a budget, then score the best checkpoint on validation and test; or do so for several corpora."""
    if parts.continual.in_sequence:
        continuing.run(parts, train)
    elif parts.data.stages:
        raise UserError("data.stages are corpora in sequence: say how with continual=naive, replay, ewc or lwf.")
    else:
        train(parts, lambda task: _documents(parts, task))


def train(parts: Parts, load: Load) -> None:
    """Train a single run on the documents of ``load``, and score it."""
    opened = open_bench(
        parts,
        load,
        scored=("train", "validation", "test"),
        learns=True,
        trains=True,
        refuse=_refuse,
    )
    memory = start_meter(opened.bench)
    tracker = open_tracker(parts, opened.state)
    result = None
    try:
        with disk.explained(parts.origin.run_dir):
            result = _train(parts, opened, tracker, memory)
    finally:
        report = parts.origin.run_dir / "report.md"
        tracker.finish(as_dict(result) if result else None, report if result and report.exists() else None)


def _train(parts: Parts, opened: Opened, tracker: Tracker, memory: MemoryMeter) -> Result | None:
    """Train what was opened to the end of the budget, and score it; of several processes the first one has a result.

    Args:
        parts: The run.
        opened: Workbench, documents and state to train from.
        tracker: Receives the figures.
        memory: Meter started with the run.
    """
    bench, splits, state = opened.bench, opened.documents, opened.state
    validation = Validation(bench, splits.validation)
    watcher = TrainingWatcher(tracker, memory)
    trainer = make_trainer(
        parts, bench, documents=splits.training, validation=validation, watcher=watcher, memory=memory
    )
    disk.check_space(parts, trainer, state)
    encoded = {name: bench.encode(splits.of(name)) for name in ("train", *sanity.SCORED)}
    bench.task.notes.extend(sanity.of_documents(splits, encoded, bench.length if splits.streamed is None else 0))
    announce(bench, splits)
    shown = tuple(bench.task.notes)
    if opened.checkpoint is not None:
        trainer.resume(opened.checkpoint, state)
    trainer.run(state)
    bench.task.notes.extend(trainer.notes(state))
    bench.task.notes.extend(sanity.of_training(state, trainer.budget, parts.schedule, bench.length))
    with sharded.losses_told(), trainer.ranks.together(trainer.stop.signal_number):
        return _score(parts, validation, splits, state=state, memory=memory, shown=shown)


def _refuse(task: Task) -> None:
    if not task.runs_model:
        raise UserError(
            f"task={task.name} with these options needs no forward pass, so that there is nothing to train: use "
            f"ctxlab eval task={task.name} …, or task.output=write."
        )


def _documents(parts: Parts, task: Task) -> Splits:
    # Sorting and selecting need every document, and solved examples are drawn from all.
    curriculum = parts.strategy.curriculum
    streams = not (curriculum.sorts or curriculum.selects or task.num_examples)
    splits = load_documents(parts.data, task, parts.data_seed, parts.hold_out, streams=streams)
    if not splits.training:
        raise UserError("There are no training documents; give data.train_file=<file> or use data=generated.")
    return splits


def _score(
    parts: Parts,
    validation: Validation,
    splits: Splits,
    state: TrainState,
    memory: MemoryMeter,
    shown: Sequence[str],
) -> Result | None:
    """Score the best checkpoint on validation and test; the first process writes all outputs and has the result.

    Args:
        parts: The run.
        validation: Has the validation documents and the last evaluation.
        splits: Documents of all splits.
        state: Training state at the end.
        memory: Meter started with the run.
        shown: Notes that were already printed.
    """
    run_dir, bench = parts.origin.run_dir, validation.bench
    peak_bytes = max(state.peak_memory_bytes, memory.peak_bytes())
    best = _load_best(parts, bench, state)
    if best.name != checkpoint.step_name(state.step):
        validation.last = None
    scored: dict[str, Split] = {}
    if validation.last is not None:
        scored["validation"] = Split(validation.documents, validation.last)
    with sharded.whole(bench.model, current()):
        for name, documents in (("validation", validation.documents), ("test", splits.test)):
            if documents and name not in scored:
                scored[name] = score_split(bench, name, documents)
    if not current().leads:
        return None
    scored = {name: with_references(bench, split, splits.train) for name, split in scored.items()}
    result = make_result(
        parts,
        bench,
        scored,
        cost=training_cost(bench, state, peak_bytes, list(scored.values())),
        checkpoint=str(best.relative_to(run_dir)),
        resumed_from=state.resumed_from,
    )
    write_outputs(parts, bench, result, scored, shown=shown)
    return result


def _load_best(parts: Parts, bench: Workbench, state: TrainState) -> Path:
    """Load the best weights, which the first process reads and gives to the others; returns their checkpoint."""
    ranks, pointer = current(), "best" if state.best_step is not None else "latest"
    best = checkpoint.find(parts.origin.run_dir, pointer) if ranks.leads else Path()
    is_dealt = sharded.is_dealt(bench.model)
    if ranks.leads and best.name != checkpoint.step_name(state.step) and not is_dealt:
        Checkpointed(str(best)).load_weights(bench.model, parts.tuning)
    with ranks.joined():
        best = Path(ranks.told(str(best)))
        if best.name != checkpoint.step_name(state.step) and is_dealt:
            take_weights(bench.model, best, ranks)
        elif best.name != checkpoint.step_name(state.step):
            ranks.copy([*bench.model.parameters(), *bench.model.buffers()])
    return best


def training_cost(bench: Workbench, state: TrainState, peak_bytes: int, scored: Sequence[Split]) -> Cost:
    """Return the cost of training and of the evaluation after it.

    Args:
        bench: Workbench that was trained.
        state: Training state at the end.
        peak_bytes: Peak memory of training.
        scored: Splits that the best checkpoint was scored on.
    """
    return Cost(
        evaluation_tokens=sum(split.evaluation.tokens for split in scored),
        evaluation_seconds=sum(split.evaluation.seconds for split in scored),
        evaluation_documents=sum(len(split.documents) for split in scored),
        train_cpu_seconds=state.cpu_seconds,
        threads=torch.get_num_threads(),
        train_tokens=state.tokens,
        train_seconds=state.seconds,
        train_steps=state.step,
        train_epochs=state.epochs,
        tokens_per_second=state.tokens / state.seconds if state.seconds else 0.0,
        padding_share=1 - state.tokens / state.padded_tokens if state.padded_tokens else 0.0,
        peak_memory_bytes=peak_bytes,
        flops=state.flops,
        matrix_rate_share=bench.matrix_rate_share(state.flops, state.seconds),
        parameters=count_parameters(bench.model),
        trainable_parameters=count_parameters(bench.model, trainable=True),
    )
