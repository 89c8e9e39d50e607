"""Opening a run: the one place that fixes the order in which its parts are connected."""

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from transformers.utils.logging import disable_progress_bar

from ctxlab.core.added_modules import attached
from ctxlab.core.architecture import installed
from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import FAMILY, Knowledge
from ctxlab.core.model import NEW_HEAD, ModelSource
from ctxlab.core.numbers import Numbers
from ctxlab.core.optim import Tuning
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.data.splits import Splits, load_documents
from ctxlab.evaluation.evaluator import metric
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.loading.heads import NEW, POOLED
from ctxlab.models.loading.started import Started
from ctxlab.models.loading.vocabulary import check_vocabulary
from ctxlab.runtime.device import make_accelerator, slow_precision
from ctxlab.training import checkpoint
from ctxlab.training.saving import read_state_file
from ctxlab.training.state import TrainState
from ctxlab.workbench.assemble import assemble, seed_everything
from ctxlab.workbench.augmenting import check_fits
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.fit import check_alone, check_kind, check_numbers
from ctxlab.workbench.mentioning import check_not_bundle, give_mentions
from ctxlab.workbench.parts import Parts
from ctxlab.workbench.protecting import give_names
from ctxlab.workbench.shown_pass import ShownPass
from ctxlab.workbench.teaching import teach
from ctxlab.workbench.translating import check_translators

log = logging.getLogger(__name__)

Load = Callable[[Task], Splits]
"""Loads the documents of a stage; the task's labels are known if a checkpoint has them."""

Refuse = Callable[[Task], None]
"""Raises UserError if a stage does not support the task, before any document is read."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A workbench with its documents and the state of its training."""

    bench: Workbench
    documents: Splits
    state: TrainState
    """Training state of the checkpoint, or a new one."""
    checkpoint: Path | None
    """Folder of the weights; None for a model without a checkpoint of ours."""
    origin: str
    """That folder, or the name of the model."""


def open_bench(
    parts: Parts,
    load: Load,
    *,
    scored: Sequence[str] = (),
    learns: bool = False,
    trains: bool = False,
    refuse: Refuse = lambda _: None,
) -> Opened:
    """Connect task, documents, model and strategy of a run in the order that they need.

    The order is: model and task (its form for this kind of model) → labels of a checkpoint → documents → labels and
    solved examples from documents → model with strategy, task and tuning → weights of the checkpoint's added modules.

    Args:
        parts: The run; copies of its task and strategy are opened.
        load: Loads the documents of the stage.
        scored: Splits whose gold labels must be labels of the model.
        learns: Whether labels are collected from the training documents (otherwise from a checkpoint, if any).
        trains: Whether the model is to be trained; otherwise it is prepared for evaluation.
        refuse: Checks the task before anything is read.

    Raises:
        UserError: Parts, documents and checkpoint do not fit together; names what does.
    """
    from ctxlab.workbench.exporting.opening import bundle_of, open_bundle  # which takes its types from here

    if exported := bundle_of(parts):
        give_names(replace(parts, runtime=None), open_bench)  # names are found by a run
        check_not_bundle(parts)
        return open_bundle(parts, exported, load, scored=scored, refuse=refuse)
    folder = find_checkpoint(parts, trains=trains)
    source = _checkpointed(parts, folder, trains=trains) if folder else _beginning(parts)
    task = _checked_task(parts, source, refuse=refuse, trains=trains)
    if folder is None and not learns:
        _check_untrained(task, source)
    if isinstance(source, Checkpointed) and not learns:
        task.labels = source.labels()
        task.take_note(installed(source.config(), "task"))
    documents = load(task)
    if isinstance(source, Checkpointed) and documents.streamed is not None:
        task.labels = source.labels()  # on resuming a large file is not read for them again
    _learn(parts, task, documents, learns=learns, trains=trains)
    if trains:
        parts.objective.fit(task)
    knowledge = copy.deepcopy(parts.knowledge)
    knowledge.teach(task)
    for split in scored:
        task.check_labels(documents.of(split))  # those in a large file are checked when they are read
    task.notes.extend(documents.notes)
    bench = _make_bench(parts, task, source, knowledge, new_head=learns)
    _load_added(bench, source, parts.tuning)
    if trains:
        teach(parts, bench, open_bench)
    else:
        bench.accelerator.prepare_model(bench.model, evaluation_mode=True)
    return Opened(
        bench, documents, state=_state(folder), checkpoint=folder, origin=str(folder) if folder else source.name
    )


def _checked_task(parts: Parts, source: ModelSource, *, refuse: Refuse, trains: bool) -> Task:
    """Return the task in its form for the model, with what other runs give it, checked before documents are read.

    Args:
        parts: The run.
        source: Its model.
        refuse: Checks the task before anything else.
        trains: Whether the model is to be trained.

    Raises:
        UserError: The parts do not fit the task.
    """
    task = task_for(parts.task, source)
    task.numbers = Numbers.of(parts.model.numbers)
    check_numbers(task.numbers, task)
    refuse(task)
    if trains:
        check_alone(task, parts.strategy)
        check_fits(parts.augment, task)
        check_translators(parts)
    give_names(parts, open_bench)
    give_mentions(parts, task, open_bench, trains=trains)
    metric(task.metric)  # a missing metric is an error now, not after hours of training
    return task


def _load_added(bench: Workbench, source: ModelSource, tuning: Tuning) -> None:
    """Load what a checkpoint, or the run that this one begins with, has besides the weights of the model."""
    if isinstance(source, Checkpointed):
        _check_knows(bench, source)
        source.load_added_modules(bench.model)
        source.load_tuning(bench.model, tuning)
    elif isinstance(source, Started):
        bench.task.notes.extend(_begin(bench, source, tuning))


def _checkpointed(parts: Parts, folder: Path, *, trains: bool) -> Checkpointed:
    """Return the model in ``folder``; training uses the dropout of the run, which the saved config may lack."""
    if not trains:
        return Checkpointed(str(folder))
    return Checkpointed(str(folder), dropout=parts.model.dropout, attention_dropout=parts.model.attention_dropout)


def _beginning(parts: Parts) -> ModelSource:
    """Return the model that a run without a checkpoint begins with: its own, or that of another run.

    Raises:
        UserError: That run has no valid checkpoint.
    """
    if parts.weights is None:
        return parts.model
    run, model = parts.weights.folder, parts.model
    folder = checkpoint.find(run, parts.weights.checkpoint)
    return Started(
        folder,
        run,
        model.name,
        dropout=model.dropout,
        attention_dropout=model.attention_dropout,
        growth=model.growth,
        numbers=model.numbers,
    )


def _begin(bench: Workbench, source: Started, tuning: Tuning) -> list[str]:
    """Load what both runs have besides body and head; returns notes on what starts at random."""
    saved = read_state_file(source.path)["task"]
    same = saved if saved == bench.task.name else ""
    return [*source.load_added_modules(bench.model, same), *source.load_tuning(bench.model, tuning)]


def find_checkpoint(parts: Parts, *, trains: bool) -> Path | None:
    """Return the checkpoint that the run starts from; None without one, or if training stopped before the first.

    Raises:
        UserError: The named run has no valid checkpoint, or the checkpoint is of another task.
    """
    start = parts.start
    if start is None:
        return None
    folder = checkpoint.latest_valid(start.folder) if trains else checkpoint.find(start.folder, start.checkpoint)
    if folder is None:
        return None
    saved = read_state_file(folder)["task"]
    if saved != parts.task.name:
        again = "drop task= to resume" if trains else f"drop task={parts.task.name}"
        raise UserError(f"{folder} is a checkpoint of task {saved}, not {parts.task.name}; {again}.")
    return folder


def task_for(task: Task, source: ModelSource) -> Task:
    """Return a copy of ``task`` in its form for the kind of model of ``source``.

    Raises:
        UserError: The task does not support that kind.
    """
    kind = source.kind()
    formed = copy.deepcopy(task).for_kind(kind)
    formed.language = task.language
    check_kind(formed, kind)
    return formed


def _check_untrained(task: Task, source: ModelSource) -> None:
    """Take the labels of a fine-tuned model; refuse a task whose head needs training."""
    if task.head not in NEW or task.untrained:
        return
    names = source.head_labels(task.head)
    if names:
        task.take_labels(names)
    else:
        raise UserError(
            f"task={task.name} needs a trained head: add run=<directory of a training run> "
            "(a decoder such as model=smollm2 does task=lm, task=qa and task=classification shots=0 without training)."
        )


def _learn(parts: Parts, task: Task, documents: Splits, *, learns: bool, trains: bool) -> None:
    """Collect labels and solved examples from training documents, if the task needs them."""
    learns_labels = learns or (task.learns_labels and not task.labels)
    if not (learns_labels or task.num_examples):
        return
    if documents.streamed is not None:
        shown = ShownPass(documents.streamed, "read labels")
        task.learn_labels(cast(Sequence[Document], shown))  # such tasks only iterate over them
        return
    train = documents.train or ([] if trains else _training_documents(parts, task, learns_labels=learns_labels))
    if learns_labels:
        task.learn_labels(train)
    task.take_examples(train, parts.seed)


def _training_documents(parts: Parts, task: Task, *, learns_labels: bool) -> list[Document]:
    """Load the training documents of the run's data, for a stage that scores other documents."""
    what = "labels" if learns_labels else "solved examples"
    without = "task.labels=[…]" if learns_labels else "task.shots=0"
    if parts.data.invented and parts.start is None:
        raise UserError(
            f"task={task.name} takes {what} from training documents, but data=generated has only invented ones: "
            f"give data.train_file=<file>, or {without}."
        )
    apart = copy.deepcopy(task)  # its notes on these documents do not concern the scored ones
    documents = load_documents(parts.data, apart, parts.data_seed, parts.hold_out).train
    if not documents:
        raise UserError(
            f"task={task.name} takes {what} from training documents, but there are none: "
            f"give data.train_file=<file>, or {without}."
        )
    return documents


def _make_bench(parts: Parts, task: Task, source: ModelSource, knowledge: Knowledge, *, new_head: bool) -> Workbench:
    """Build model and strategy for a task whose labels are known.

    Raises:
        UserError: They do not fit together, or the weights lack the head and the model is not going to be trained.
    """
    disable_progress_bar()  # the library's progress bars would interrupt ours
    trainer = parts.trainer
    accelerator = make_accelerator(trainer.device, trainer.precision, deterministic=trainer.deterministic)
    if slow := slow_precision(accelerator):
        log.warning("%s", slow)
        task.notes.append(slow)
    strategy = copy.deepcopy(parts.strategy)
    if strategy.reading.wants_scorer:
        strategy.reading.take_scorer(_language_model(parts.model))
    seed_everything(parts.init_seed)  # a new head is initialised from it
    model, facts = assemble(strategy, source, task=task, tuning=parts.tuning, length=parts.length, knowledge=knowledge)
    if getattr(model, NEW_HEAD, False) and not new_head and not task.untrained:
        raise UserError(
            f"model={source.name} has no {task.head} head for task={task.name}, which needs training: "
            "add run=<directory of a training run>, or use a model that has one."
        )
    tokenizer = source.tokenizer()
    check_vocabulary(model, tokenizer, source.name)
    if (
        any(one.head in POOLED for one in (task.built, *task.joined))
        and model.config.pad_token_id != tokenizer.pad_token_id
    ):
        model.config.pad_token_id = tokenizer.pad_token_id  # heads of decoders locate the last token by it
    task.prepare(tokenizer)
    return Workbench(
        task=task,
        tokenizer=tokenizer,
        model=model,
        strategy=strategy,
        facts=facts,
        accelerator=accelerator,
        length=parts.length,
        settings=parts.trainer,
        privacy=parts.privacy,
    )


def _check_knows(bench: Workbench, source: Checkpointed) -> None:
    """Refuse a checkpoint whose model was trained with knowledge that is not installed.

    Raises:
        UserError: Names the knowledge.
    """
    noted = installed(bench.model.config, FAMILY)
    if noted and attached(bench.model, FAMILY) is None:
        raise UserError(
            f"checkpoint {source.path} was trained with knowledge={noted['name']}: leave knowledge= out, so that it is "
            "used with it."
        )


def _language_model(source: ModelSource) -> object:
    """Build the run's model as a language model with its published weights."""
    try:
        return source.build("causal_lm", [])
    except UserError as error:
        reason = str(error).rstrip(".")
        raise UserError(f"{reason}; or use strategy.reading.scorer=frequencies, which needs no model.") from None


def _state(folder: Path | None) -> TrainState:
    if folder is None:
        return TrainState()
    state = TrainState.from_dict(read_state_file(folder)["state"])
    state.resumed_from = folder.name
    return state
