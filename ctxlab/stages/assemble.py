"""From configuration to parts that fit together; every stage starts here."""

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
from ctxlab.core.strategy import Strategy
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


def check_fit(strategy: Strategy, facts: ModelFacts, length: int) -> None:
    """Refuse a strategy that cannot work on this model at this length, naming one that can.

    Raises:
        UserError: A part does not support the kind of model, or windows are longer than its positions reach.
    """
    for name in ("reading", "attention", "positions", "memory"):
        part = getattr(strategy, name)
        if facts.kind not in part.supports:
            raise UserError(
                f"strategy/{name}={type(part).__name__.lower()} does not work on a model of kind {facts.kind} "
                f"(only {', '.join(sorted(part.supports))}); strategy=truncate does."
            )
    longest = strategy.reading.longest(length)
    if facts.trained_length is None or longest <= facts.trained_length:
        return
    reach = f"windows of {longest:,} tokens, but the model was trained for {facts.trained_length:,}"
    if not strategy.positions.extends:
        raise UserError(
            f"context.length={length} with strategy={strategy.name} gives {reach}: use strategy=longformer or dense, "
            f"which stretch positions, add strategy/positions=tile, or use context={facts.trained_length}."
        )
    if facts.positions not in strategy.positions.kinds:
        raise UserError(
            f"strategy/positions={type(strategy.positions).__name__.lower()} cannot stretch {facts.positions} "
            f"positions, and context.length={length} gives {reach}; use context={facts.trained_length}."
        )


def apply_strategy(strategy: Strategy, model: Any, length: int) -> ModelFacts:
    """Check the fit, then put positions and attention into ``model``; returns the facts before that."""
    facts = describe(model)
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
    model = source.build(task.head, task.labels)
    facts = apply_strategy(strategy, model, cfg.context.length)
    tokenizer = source.tokenizer()
    return Workbench(task, tokenizer, model, strategy, facts, accelerator, cfg.context.length, settings)
