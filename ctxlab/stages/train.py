"""``ctxlab train``: documents and a model in, a scored checkpoint out."""

from collections.abc import Sequence

from ctxlab.core.errors import UserError
from ctxlab.core.result import Cost, Result, as_dict
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.splits import Splits, load_documents
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.optim.parameters import count_parameters
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.training import checkpoint
from ctxlab.training.state import TrainState
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.finish import Split, leave, make_result, score_split
from ctxlab.workbench.meter import start_meter
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.trainer import Validation, make_trainer
from ctxlab.workbench.watch import TrainingWatcher, announce, open_tracker


def run(parts: Parts) -> None:
    """Train under a budget, then score the best checkpoint on validation and test."""
    opened = open_bench(
        parts,
        lambda task: _documents(parts, task),
        scored=("train", "validation", "test"),
        learns=True,
        trains=True,
        refuse=_refuse,
    )
    bench, splits, state = opened.bench, opened.documents, opened.state
    memory = start_meter(bench)
    tracker = open_tracker(parts, state)
    result = None
    try:
        validation = Validation(bench, splits.validation)
        trainer = make_trainer(parts, bench, splits.train, validation, TrainingWatcher(tracker, memory))
        announce(bench, splits)
        if opened.checkpoint is not None:
            trainer.resume(opened.checkpoint, state)
        trainer.run(state)
        result = _score(parts, validation, splits.test, state, memory)
    finally:
        report = parts.origin.run_dir / "report.md"
        tracker.finish(as_dict(result) if result else None, report if result and report.exists() else None)


def _refuse(task: Task) -> None:
    if not task.runs_model:
        raise UserError(
            f"task={task.name} with these options asks the model nothing, so that there is nothing to train: use "
            f"ctxlab eval task={task.name} …, or task.output=write."
        )


def _documents(parts: Parts, task: Task) -> Splits:
    splits = load_documents(parts.data, task, parts.seed)
    if not splits.train:
        raise UserError("There are no training documents; give data.train_file=<file> or use data=generated.")
    return splits


def _score(
    parts: Parts, validation: Validation, test: Sequence[Document], state: TrainState, memory: MemoryMeter
) -> Result:
    """Scores of the best checkpoint on the splits that there are, written and shown."""
    run_dir, peak_bytes, bench = parts.origin.run_dir, memory.peak_bytes(), validation.bench
    best = checkpoint.find(run_dir, "best" if state.best_step is not None else "latest")
    if best.name != checkpoint.step_name(state.step):
        Checkpointed(str(best)).load_weights(bench.model, parts.tuning)
        validation.last = None
    scored: dict[str, Split] = {}
    if validation.last is not None:
        scored["validation"] = Split(validation.documents, validation.last)
    for name, documents in (("validation", validation.documents), ("test", test)):
        if documents and name not in scored:
            scored[name] = score_split(bench, name, documents)
    result = make_result(
        parts,
        bench,
        scored,
        cost=training_cost(bench, state, peak_bytes),
        checkpoint=str(best.relative_to(run_dir)),
        resumed_from=state.resumed_from,
    )
    leave(parts, bench, result, scored)
    return result


def training_cost(bench: Workbench, state: TrainState, peak_bytes: int) -> Cost:
    """What training took."""
    return Cost(
        train_tokens=state.tokens,
        train_seconds=state.seconds,
        train_steps=state.step,
        train_epochs=state.epochs,
        tokens_per_second=state.tokens / state.seconds if state.seconds else 0.0,
        padding_share=1 - state.tokens / state.padded_tokens if state.padded_tokens else 0.0,
        peak_memory_bytes=peak_bytes,
        flops=state.flops,
        parameters=count_parameters(bench.model),
        trainable_parameters=count_parameters(bench.model, trainable=True),
    )
