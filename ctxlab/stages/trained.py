"""A finished run as the starting point of a stage: its checkpoint, task and labels; or a model as it is."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ctxlab.config.build import build
from ctxlab.core.errors import UserError
from ctxlab.core.model import NEW_HEAD, ModelSource
from ctxlab.core.task import Task
from ctxlab.data.splits import load_split
from ctxlab.models.checkpointed import Checkpointed
from ctxlab.models.heads import NEW
from ctxlab.stages.assemble import Workbench, assemble
from ctxlab.training import checkpoint
from ctxlab.training.loop import read_state_file


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
    task: Task = build(cfg.task).form(source.kind())
    task.labels = source.labels()
    show_examples(cfg, task)
    bench = assemble(cfg, task, source)
    source.load_parts(bench.model)
    bench.accelerator.prepare_model(bench.model, evaluation_mode=True)
    return Trained(bench, str(folder), saved["state"]["tokens"], saved["state"]["seconds"])


def source_of(cfg: DictConfig) -> ModelSource:
    """The checkpoint that ``cfg.run`` names, else the model of ``cfg``."""
    if not cfg.run:
        source: ModelSource = build(cfg.model)
        return source
    return Checkpointed(str(checkpoint.find(Path(cfg.run), cfg.checkpoint)))


def load_untrained(cfg: DictConfig) -> Trained:
    """The model of ``cfg`` as it is, for a task whose head comes with the weights.

    Raises:
        UserError: The head of the task, or of these weights, is one that only training gives.
    """
    source: ModelSource = build(cfg.model)
    task: Task = build(cfg.task).form(source.kind())
    if task.head in NEW:
        raise UserError(
            f"task={task.name} has a head that only training gives: add run=<directory of a training run> "
            "(task=lm is one that a model can do as it is)."
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
    if not task.num_examples and not task.learns_labels:
        return
    documents = load_split(build(cfg.data), task, "train", cfg.seed)
    if not documents:
        raise UserError(
            f"task={task.name} takes examples and labels from training documents, and there are none: "
            "give data.train_file=<file>, or task.shots=0 and task.labels=[…]."
        )
    if task.learns_labels:
        task.learn_labels(documents)
    task.take_examples(documents, cfg.seed)
