"""Building a model with strategy, task and tuning installed, after checking that they fit."""

import copy
import random
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import describe, position_limit
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.model import WEIGHTS_NOTES, ModelFacts, ModelSource
from ctxlab.core.optim import Tuning
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task
from ctxlab.models.loading.joined import join
from ctxlab.models.loading.token_numbers import install_numbers
from ctxlab.runtime.dropout import use_words
from ctxlab.runtime.precision import make_head_exact
from ctxlab.workbench.fit import (
    check_fit,
    check_knowledge,
    check_task,
    fit_lengths,
    idle_notes,
    training_notes,
    window_notes,
)


def seed_everything(seed: int) -> None:
    """Seed the global random generators that libraries draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def assemble(
    strategy: Strategy,
    source: ModelSource,
    task: Task,
    tuning: Tuning,
    length: int,
    knowledge: Knowledge | None = None,
) -> tuple[Any, ModelFacts]:
    """Return the model with strategy, task and tuning installed, and its properties before the strategy changed it.

    Args:
        strategy: Its parts are installed in this model and must not be used with another one.
        source: Source of the weights.
        task: A task whose labels are known.
        tuning: Decides which parameters are trained.
        length: Context length in tokens.
        knowledge: What it needs is installed in this model; None for nothing.

    Raises:
        UserError: The parts do not fit together; names a combination that does.
    """
    trained: list[Any] = []

    def configure(config: Any) -> None:
        trained.append(copy.deepcopy(config))
        fit_lengths(strategy, position_limit(config), length)
        strategy.positions.configure(config, strategy.num_positions(length))

    model = source.build(task.built.head, task.built.labels, configure)
    join(model, task.built, task.joined, answers=task.head)
    facts = describe(model, trained[-1])
    check_task(task, strategy, facts)
    strategy.reading.fit_merge(causal=facts.kind == "decoder", next_token=task.contiguous)
    task.notes.extend(getattr(model.config, WEIGHTS_NOTES, ()))  # for example, that they are quantised
    _install(strategy, model, facts, length)
    install_numbers(model, source.taken_numbers(model.config))
    task.notes.extend([*window_notes(strategy, facts, length), *training_notes(strategy), *idle_notes(strategy)])
    if knowledge is not None:
        _install_knowledge(knowledge, strategy, model, facts)
    task.install(model)
    make_head_exact(model, task.built.head)
    use_words(model)
    tuning.install(model)
    return model, facts


def _install_knowledge(knowledge: Knowledge, strategy: Strategy, model: Any, facts: ModelFacts) -> None:
    """Install the knowledge; where it needs marks, this run's attention part asks for them."""
    check_knowledge(knowledge, strategy, facts)
    knowledge.install(model, keeps_marks=strategy.attention.wants_marks)
    strategy.attention.wants_marks |= knowledge.wants_marks


def _install(strategy: Strategy, model: Any, facts: ModelFacts, length: int) -> None:
    """Check the fit, then install the parts of the strategy in ``model``."""
    fit_lengths(strategy, facts.trained_length, length)
    check_fit(strategy, facts, length)
    strategy.positions.extend(model, strategy.num_positions(length))
    strategy.attention.install(model)
    strategy.memory.install(model)
    strategy.reading.install(model)
