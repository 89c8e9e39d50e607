"""From configuration to parts that fit together; every stage starts here."""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from transformers.utils.logging import disable_progress_bar

from ctxlab.config.build import build
from ctxlab.config.schema import TrainerConfig
from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelFacts, ModelSource
from ctxlab.core.strategy import Positions, Strategy
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded
from ctxlab.data.encode import cache_dir, encode_documents
from ctxlab.evaluation.evaluator import Reader
from ctxlab.models.facts import describe
from ctxlab.training.device import make_accelerator


def seed_everything(seed: int) -> None:
    """Seed the generators that libraries use behind our back."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def build_strategy(cfg: DictConfig) -> Strategy:
    """The five parts of ``cfg.strategy``."""
    node = cfg.strategy
    return Strategy(
        node.name,
        build(node.reading),
        build(node.positions),
        build(node.attention),
        build(node.memory),
        build(node.curriculum),
    )


STRETCH = {
    "learned": "strategy=longformer or dense, which stretch positions, add strategy/positions=tile",
    "rotary": "strategy=yarn or ntk, which stretch positions, add strategy/positions=yarn",
}
"""What reaches further than a model was trained for, by its kind of positions."""


def check_fit(strategy: Strategy, facts: ModelFacts, length: int) -> None:
    """Refuse a strategy that cannot work on this model at this length, naming one that can.

    Raises:
        UserError: A part does not support the kind of model or of positions, or windows are longer than these reach.
    """
    for name in ("reading", "attention", "positions", "memory"):
        part = getattr(strategy, name)
        if facts.kind not in part.supports:
            raise UserError(
                f"strategy/{name}={_option(part)} does not work on a model of kind {facts.kind} "
                f"(only {', '.join(sorted(part.supports))}); strategy=truncate does."
            )
    longest, trained = strategy.reading.longest(length), facts.trained_length
    _check_positions(strategy.positions, facts, longest)
    if trained is None or longest <= trained or strategy.positions.extends:
        return
    raise UserError(
        f"context.length={length} with strategy={strategy.name} gives windows of {longest:,} tokens, but the model was "
        f"trained for {trained:,}: use {STRETCH[facts.positions]}, or use context={trained}."
    )


def _check_positions(part: Positions, facts: ModelFacts, longest: int) -> None:
    """Refuse a part that stretches another kind of positions than the model has."""
    if not part.extends or facts.positions in part.kinds:
        return
    if facts.positions == "rotary" and longest <= (facts.trained_length or 0):
        return  # presets made for learned tables bring such a part along, and there is nothing to stretch
    begin = f"strategy/positions={_option(part)} stretches {' and '.join(sorted(part.kinds))} positions, but the model"
    if facts.positions not in STRETCH:
        raise UserError(f"{begin} has none such, and works at any length without: use strategy/positions=keep.")
    raise UserError(
        f"{begin} has {facts.positions} ones, trained for {facts.trained_length:,} tokens: "
        f"use {STRETCH[facts.positions]}, or use context={facts.trained_length} with strategy/positions=keep."
    )


def _option(part: Any) -> str:
    """A part's name on the command line: that of its file."""
    return type(part).__module__.rsplit(".", 1)[-1]


def build_model(strategy: Strategy, source: ModelSource, task: Task, length: int) -> tuple[Any, ModelFacts]:
    """The model with the strategy's positions and attention, and what it was before these changed it."""
    trained: list[Any] = []

    def configure(config: Any) -> None:
        trained.append(copy.deepcopy(config))
        strategy.positions.configure(config, strategy.reading.longest(length))

    model = source.build(task.head, task.labels, configure)
    return model, apply_strategy(strategy, model, length, trained[-1])


def apply_strategy(strategy: Strategy, model: Any, length: int, trained: Any = None) -> ModelFacts:
    """Check the fit, then put positions and attention into ``model``; returns the facts before that.

    ``trained`` is the config that the model came with, where ``configure`` changed it before the model was built.
    """
    facts = describe(model, trained)
    check_fit(strategy, facts, length)
    strategy.positions.extend(model, strategy.reading.longest(length))
    strategy.attention.install(model)
    return facts


@dataclass(frozen=True, eq=False)
class Workbench:
    """Task, model and strategy together, ready to read documents."""

    task: Task
    tokenizer: Any
    model: Any
    strategy: Strategy
    facts: ModelFacts
    accelerator: Any
    length: int
    settings: TrainerConfig

    def encode(self, documents: Sequence[Document]) -> list[Encoded]:
        """Whole documents as tokens, from the cache where they were seen before."""
        return encode_documents(self.task, documents, self.tokenizer, cache_dir(), self.settings.num_workers)

    def reader(self) -> Reader:
        """How the model, which the accelerator has prepared in place, reads documents."""
        return Reader(
            self.model,
            self.strategy,
            self.length,
            self.settings.tokens_per_forward or max(self.settings.tokens_per_step, self.length),
            self.tokenizer.pad_token_id,
            self.accelerator.device,
        )


def assemble(cfg: DictConfig, task: Task, source: ModelSource) -> Workbench:
    """Build model and strategy for a task whose labels are known, and prove that they fit."""
    disable_progress_bar()  # the library's own bars would cut through ours
    settings = OmegaConf.to_object(cfg.trainer)
    assert isinstance(settings, TrainerConfig)
    accelerator = make_accelerator(settings.device, settings.precision)
    strategy = build_strategy(cfg)
    seed_everything(cfg.seed)  # the new head starts from it
    model, facts = build_model(strategy, source, task, cfg.context.length)
    tokenizer = source.tokenizer()
    return Workbench(task, tokenizer, model, strategy, facts, accelerator, cfg.context.length, settings)
