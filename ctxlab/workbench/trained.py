"""A finished run as the starting point of a stage: its checkpoint, task and labels; or a model as it is."""

import copy
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ctxlab.config.build import build
from ctxlab.core.data import Source
from ctxlab.core.errors import UserError
from ctxlab.core.model import NEW_HEAD, ModelSource
from ctxlab.core.task import Task
from ctxlab.data.splits import load_documents
from ctxlab.models.loading.checkpointed import Checkpointed
from ctxlab.models.loading.heads import NEW
from ctxlab.training import checkpoint
from ctxlab.training.loop import read_state_file
from ctxlab.workbench.assemble import Workbench, assemble, build_task


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that needs no training any more, on the workbench."""

    bench: Workbench
    checkpoint: str
    """Folder of the checkpoint, or the name of a model that was taken as it is."""
    tokens: int = 0
    """That it was trained on by ctxlab."""
    seconds: float = 0.0
    """That this training took."""


def load_trained(cfg: DictConfig) -> Trained:
    """The checkpoint that ``cfg.run`` and ``cfg.checkpoint`` name, under the strategy and context of ``cfg``.

    Raises:
        UserError: There is no whole checkpoint, it is of another task, or the strategy does not fit it.
    """
    folder = checkpoint.find(Path(cfg.run), cfg.checkpoint)
    saved = read_state_file(folder)
    if saved["task"] != cfg.task.name:
        raise UserError(
            f"{folder} is a checkpoint of task {saved['task']}, not {cfg.task.name}; drop task={cfg.task.name}."
        )
    source = Checkpointed(str(folder))
    task = build_task(cfg, source)
    task.labels = source.labels()
    show_examples(cfg, task)
    bench = assemble(cfg, task, source)
    source.load_parts(bench.model)
    bench.accelerator.prepare_model(bench.model, evaluation_mode=True)
    return Trained(bench, str(folder), saved["state"]["tokens"], saved["state"]["seconds"])


def source_of(cfg: DictConfig) -> ModelSource:
    """The checkpoint that ``cfg.run`` names, else the model of ``cfg``."""
    if not cfg.run:
        return build(cfg.model, ModelSource)
    return Checkpointed(str(checkpoint.find(Path(cfg.run), cfg.checkpoint)))


def load_untrained(cfg: DictConfig) -> Trained:
    """The model of ``cfg`` as it is, for a task whose head comes with the weights.

    Raises:
        UserError: The head of the task, or of these weights, is one that only training gives.
    """
    source = build(cfg.model, ModelSource)
    task = build_task(cfg, source)
    if task.head in NEW:
        raise UserError(
            f"task={task.name} has a head that only training gives: add run=<directory of a training run> "
            "(a decoder such as model=smollm2 can do task=lm, task=qa, and task=classification shots=0 as it is)."
        )
    show_examples(cfg, task)
    bench = assemble(cfg, task, source)
    if getattr(bench.model, NEW_HEAD, False):
        raise UserError(
            f"model={source.name} came without the {task.head} head of task={task.name}, which only training gives: "
            "add run=<directory of a training run>, or use a model that has one."
        )
    bench.accelerator.prepare_model(bench.model, evaluation_mode=True)
    return Trained(bench, source.name)


def show_examples(cfg: DictConfig, task: Task) -> None:
    """Give ``task`` the training documents where it draws solved examples from them, or its labels."""
    learns_labels = task.learns_labels and not task.labels
    if not task.num_examples and not learns_labels:
        return
    apart = copy.deepcopy(task)  # what it notes of these records is noted again where they are evaluated
    source = build(cfg.data, Source)
    if source.invented and cfg.stage == "predict" and not cfg.run:
        raise UserError(
            f"task={task.name} takes {'labels' if learns_labels else 'solved examples'} from training documents, and "
            f"those of data=generated are not yours: give data.train_file=<file>, or {_without(learns_labels)}."
        )
    documents = load_documents(source, apart, cfg.seed).train
    if not documents:
        raise UserError(
            f"task={task.name} takes {'labels' if learns_labels else 'solved examples'} from training documents, and "
            f"there are none: give data.train_file=<file>, or {_without(learns_labels)}."
        )
    if learns_labels:
        task.learn_labels(documents)
    task.take_examples(documents, cfg.seed)


def _without(learns_labels: bool) -> str:
    return "task.labels=[…]" if learns_labels else "task.shots=0"
