"""What cannot be exported, refused before any work by a sentence that names what can."""

from collections.abc import Sequence

from ctxlab.config import catalogue
from ctxlab.config.build import locate
from ctxlab.core.added_modules import attached
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.model import TASK_MODULE, ModelSource
from ctxlab.core.numbers import Numbers
from ctxlab.core.strategy import Attention, Strategy
from ctxlab.core.task import Task
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.parts import Parts

TASKS = "ner, classification, nli and qa with encoders can"


def check_parts(parts: Parts) -> None:
    """Refuse a strategy, knowledge or numbers of words, with which a model cannot be exported.

    Raises:
        UserError: Names the part and what can be exported.
    """
    strategy, knowledge = parts.strategy, parts.knowledge
    if strategy.memory.sequential:
        raise UserError(
            f"strategy/memory={option(strategy.memory)} cannot be exported, as a window needs what an earlier one has "
            "left: train with strategy/memory=none."
        )
    if strategy.reading.joins or strategy.reading.wants_scorer:
        second = "its windows are read together" if strategy.reading.joins else "it reads with a second model"
        raise UserError(
            f"strategy/reading={option(strategy.reading)} cannot be exported, as {second}: strategy/reading=chunk, "
            "truncate and select can."
        )
    if why := strategy.attention.unexportable:
        raise UserError(
            f"strategy/attention={option(strategy.attention)} cannot be exported, as {why}: {_listed(_attentions())} "
            "can."
        )
    if knowledge.wants_marks:
        raise UserError(
            f"knowledge={option(knowledge)} cannot be exported, as the model takes marks of its words: knowledge=none "
            "and constraints can."
        )
    check_numbers(parts.model)


def check_numbers(model: ModelSource) -> None:
    """Refuse a model that takes numbers of its words.

    Raises:
        UserError: Names the key.
    """
    numbers = Numbers.of(model.numbers)
    if numbers.is_on:
        raise UserError(
            f"model.numbers.kind={numbers.kind} cannot be exported, as a bundle takes text alone: train with "
            "model.numbers.kind=none."
        )


def check_task(task: Task) -> None:
    """Refuse a task that generates text or runs no model.

    Raises:
        UserError: Names the task and those that can be exported.
    """
    if task.generates or task.chooses:
        raise UserError(
            f"task={task.name} cannot be exported with this model, as its answers are generated token by token: "
            f"{TASKS}."
        )
    if not task.runs_model:
        raise UserError(f"task={task.name} cannot be exported, as it runs no model here: {TASKS}.")


def check_bench(bench: Workbench) -> None:
    """Refuse what is known only once the model is there.

    Raises:
        UserError: Names the part or the task.
    """
    if bench.facts.kind != "encoder":
        raise UserError(
            f"A model of kind {bench.facts.kind} cannot be exported: task={bench.task.name} with an encoder can, such "
            "as model=minilm."
        )
    check_positions(bench.strategy)
    if attached(bench.model, TASK_MODULE) is not None:
        raise UserError(
            f"task={bench.task.name} cannot be exported, as it answers with a second model over whole documents: "
            f"{TASKS}."
        )


def check_positions(strategy: Strategy) -> None:
    """Raise UserError if the positions of a window depend on the others of its batch."""
    if strategy.positions.by_batch:
        raise UserError(
            f"strategy/positions={option(strategy.positions)} cannot be exported, as positions depend on the longest "
            "window of a batch: strategy/positions=keep, tile, linear, ntk and yarn can."
        )


def _attentions() -> list[str]:
    """Return the attention parts that can be exported with their defaults."""
    names = []
    for name in catalogue.options("strategy/attention"):
        cls = locate(catalogue.read(catalogue.option_file("strategy/attention", name))["_target_"])
        assert issubclass(cls, Attention)
        if cls.unexportable is None:
            names.append(name)
    return names


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
