"""``ctxlab train``: documents and a model in, a scored checkpoint out."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from ctxlab.config.build import build
from ctxlab.core.data import Source
from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelSource
from ctxlab.core.optim import OptimizerFactory, Schedule, Tuning
from ctxlab.core.result import Cost, Result, as_dict
from ctxlab.core.types import Document
from ctxlab.data.splits import load_documents
from ctxlab.evaluation.evaluator import Evaluation, evaluate
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.optim.parameters import count_parameters, parameter_groups
from ctxlab.runtime.cost import FlopModel, MemoryMeter
from ctxlab.training import checkpoint
from ctxlab.training.loop import Job, Trainer, Watcher, read_state_file
from ctxlab.training.state import TrainState
from ctxlab.training.stream import Stream
from ctxlab.workbench.assemble import Workbench, assemble, build_task
from ctxlab.workbench.finish import Labels, Split, leave, make_result, score_split
from ctxlab.workbench.fit import check_recomputing
from ctxlab.workbench.watch import TrainingWatcher, announce, open_tracker


def run(cfg: DictConfig, run_dir: Path) -> None:
    """Train under a budget, then score the best checkpoint on validation and test."""
    folder, state = start_point(cfg, run_dir)
    source: ModelSource = Checkpointed(str(folder)) if folder else build(cfg.model, ModelSource)
    task = build_task(cfg, source)
    if not task.runs_model:
        raise UserError(
            f"task={task.name} with these options asks the model nothing, so that there is nothing to train: use "
            f"ctxlab eval task={task.name} …, or task.output=write."
        )
    splits = load_documents(build(cfg.data, Source), task, cfg.seed)
    if not splits.train:
        raise UserError("There are no training documents; give data.train_file=<file> or use data=generated.")
    task.learn_labels(splits.train)
    task.take_examples(splits.train, cfg.seed)
    for documents in (splits.train, splits.validation, splits.test):
        task.check_labels(documents)
    task.notes.extend(splits.notes)
    bench = assemble(cfg, task, source)
    if folder is not None:
        Checkpointed(str(folder)).load_parts(bench.model)
    memory = MemoryMeter(bench.accelerator.device)
    tracker = open_tracker(cfg, run_dir, state)
    result = None
    try:
        validation = Validation(bench, splits.validation)
        trainer = make_trainer(cfg, run_dir, bench, splits.train, validation, TrainingWatcher(tracker, memory))
        announce(bench, splits)
        if folder is not None:
            trainer.resume(folder, state)
        trainer.run(state)
        result = score(cfg, run_dir, validation, splits.test, state, memory)
    finally:
        report = run_dir / "report.md"
        tracker.finish(as_dict(result) if result else None, report if result and report.exists() else None)


def start_point(cfg: DictConfig, run_dir: Path) -> tuple[Path | None, TrainState]:
    """Where training starts: the last valid checkpoint of a resumed run, or the beginning."""
    folder = checkpoint.latest_valid(run_dir) if cfg.resume else None
    if folder is None:
        return None, TrainState()
    saved = read_state_file(folder)
    if saved["task"] != cfg.task.name:
        raise UserError(f"{folder} is a checkpoint of task {saved['task']}, not {cfg.task.name}; drop task= to resume.")
    state = TrainState.from_dict(saved["state"])
    state.resumed_from = folder.name
    return folder, state


class Validation:
    """Scores the validation split while training, and remembers what came out last."""

    def __init__(self, bench: Workbench, documents: Sequence[Document]) -> None:
        self.bench, self.documents = bench, documents
        self.last: Evaluation | None = None

    def __call__(self) -> dict[str, float]:
        """Scores of the model as it is now."""
        self.last = evaluate(self.bench.reader(), self.bench.task, self.documents, self.bench.encode(self.documents))
        return dict(self.last.scores.metrics)


def make_trainer(
    cfg: DictConfig,
    run_dir: Path,
    bench: Workbench,
    documents: Sequence[Document],
    validation: Validation,
    watcher: Watcher,
) -> Trainer:
    """Everything the loop needs, from configuration."""
    encoded = bench.encode(documents)
    bench.strategy.reading.learn(encoded, bench.model)
    build(cfg.tuning, Tuning).apply(bench.model)
    if bench.settings.activation_checkpointing:
        check_recomputing(bench.model, bench.strategy)
        # The second is its name in earlier versions of the library.
        enable = getattr(bench.model, "activation_checkpointing_enable", bench.model.gradient_checkpointing_enable)
        enable({"use_reentrant": False})
    factory, schedule = build(cfg.optimizer, OptimizerFactory), build(cfg.scheduler, Schedule)
    job = Job(
        run_dir=run_dir,
        task=bench.task,
        model=bench.model,
        tokenizer=bench.tokenizer,
        strategy=bench.strategy,
        optimizer=factory.build(parameter_groups(bench.model, factory.weight_decay)),
        schedule=schedule,
        learning_rate=factory.lr,
        stream=Stream(
            encoded,
            bench.strategy.reading.windows,
            bench.task.renew,
            bench.settings.tokens_per_step,
            cfg.seed,
            sort_all=bench.strategy.curriculum.sorts,
        ),
        context_length=bench.length,
        flops=FlopModel.of(bench.model, bench.facts.num_layers, bench.facts.hidden_size),
        settings=bench.settings,
        seed=cfg.seed,
        writes=bench.writes,
        document_ids=[document.id for document in documents],
        evaluate=validation if validation.documents else None,
    )
    bench.model.train()
    return Trainer(job, bench.accelerator, watcher)


def score(
    cfg: DictConfig,
    run_dir: Path,
    validation: Validation,
    test: Sequence[Document],
    state: TrainState,
    memory: MemoryMeter,
) -> Result:
    """Scores of the best checkpoint on the splits that there are, written and shown."""
    peak_bytes, bench = memory.peak_bytes(), validation.bench
    best = checkpoint.find(run_dir, "best" if state.best_step is not None else "latest")
    if best.name != checkpoint.step_name(state.step):
        Checkpointed(str(best)).load_weights(bench.model)
        validation.last = None
    scored: dict[str, Split] = {}
    if validation.last is not None:
        scored["validation"] = Split(validation.documents, validation.last)
    for name, documents in (("validation", validation.documents), ("test", test)):
        if documents and name not in scored:
            scored[name] = score_split(bench, name, documents)
    cost = training_cost(bench, state, peak_bytes)
    reference = str(best.relative_to(run_dir))
    result = make_result(
        "train",
        bench,
        labels=Labels.of(cfg),
        splits=scored,
        cost=cost,
        checkpoint=reference,
        resumed_from=state.resumed_from,
    )
    leave(run_dir, bench, result, scored)
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
