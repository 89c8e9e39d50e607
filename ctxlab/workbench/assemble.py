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
from ctxlab.core.architecture import describe
from ctxlab.core.cache import cache_dir
from ctxlab.core.errors import UserError
from ctxlab.core.model import WEIGHTS_NOTES, ModelFacts, ModelSource
from ctxlab.core.strategy import Attention, Curriculum, Memory, Positions, Reading, Strategy
from ctxlab.core.task import Task
from ctxlab.core.types import Document, Encoded
from ctxlab.data.encode import encode_documents
from ctxlab.models.loading.heads import POOLED
from ctxlab.runtime.chooser import Chooser
from ctxlab.runtime.device import make_accelerator
from ctxlab.runtime.forward import APART, BEHIND
from ctxlab.runtime.reader import Reader
from ctxlab.runtime.writer import Writer
from ctxlab.workbench.fit import check_fit, check_kind, check_task, settle


def seed_everything(seed: int) -> None:
    """Seed the generators that libraries use behind our back."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def build_task(cfg: DictConfig, source: ModelSource) -> Task:
    """The task of ``cfg`` in the form in which models like ``source`` do it.

    Raises:
        UserError: They do not.
    """
    kind = source.kind()
    task = build(cfg.task, Task).form(kind)
    check_kind(task, kind)
    return task


def build_strategy(cfg: DictConfig) -> Strategy:
    """The five parts of ``cfg.strategy``."""
    node = cfg.strategy
    return Strategy(
        node.name,
        build(node.reading, Reading),
        build(node.positions, Positions),
        build(node.attention, Attention),
        build(node.memory, Memory),
        build(node.curriculum, Curriculum),
    )


def build_model(strategy: Strategy, source: ModelSource, task: Task, length: int) -> tuple[Any, ModelFacts]:
    """The model with the strategy's positions and attention, and what it was before these changed it."""
    trained: list[Any] = []

    def configure(config: Any) -> None:
        trained.append(copy.deepcopy(config))
        settle(strategy, getattr(config.get_text_config(), "max_position_embeddings", None), length)
        strategy.positions.configure(config, strategy.num_positions(length))

    model = source.build(task.head, task.labels, configure)
    check_task(task, strategy, describe(model, trained[-1]))
    task.notes.extend(getattr(model.config, WEIGHTS_NOTES, ()))  # quantised, say
    facts = apply_strategy(strategy, model, length, trained[-1])
    task.install(model)
    return model, facts


def apply_strategy(strategy: Strategy, model: Any, length: int, trained: Any = None) -> ModelFacts:
    """Check the fit, then put positions and attention into ``model``; returns the facts before that.

    ``trained`` is the config that the model came with, where ``configure`` changed it before the model was built.
    """
    facts = describe(model, trained)
    settle(strategy, facts.trained_length, length)
    check_fit(strategy, facts, length)
    strategy.positions.extend(model, strategy.num_positions(length))
    strategy.attention.install(model)
    strategy.memory.install(model)
    strategy.reading.install(model)
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
        chooses = self.task.chooses
        return Reader(
            Chooser(self.model, self.task.continuations) if chooses else self.model,
            self.strategy,
            self.length,
            self.settings.tokens_per_forward or max(self.settings.tokens_per_step, self.length),
            self.tokenizer.pad_token_id,
            self.accelerator.device,
            self.task.observe,
            self._writer() if self.task.writes and not chooses else None,
            self.task.scores_target,
            self.task.runs_model,
        )

    @property
    def writes(self) -> str | None:
        """Where targets go, see ``data.forward.Passes``; None where the task writes nothing."""
        return _WRITES[self.facts.kind] if self.task.writes else None

    def _writer(self) -> Writer:
        return Writer(
            self.model,
            self.task.decoding,
            _WRITES[self.facts.kind],
            self.task.stops,
            self.tokenizer.pad_token_id,
            self.settings.tokens_per_forward or max(self.settings.tokens_per_step, self.length),
            self.strategy.attention.caches,
            self.accelerator.device,
        )


_WRITES = {"decoder": BEHIND, "encoder_decoder": APART}


def _published(source: ModelSource) -> Any:
    """The run's model as a language model, before it learns anything else."""
    try:
        return source.build("causal_lm", [])
    except UserError as error:
        reason = str(error).rstrip(".")
        raise UserError(f"{reason}; or use strategy.reading.scorer=frequencies, which needs no model.") from None


def assemble(cfg: DictConfig, task: Task, source: ModelSource) -> Workbench:
    """Build model and strategy for a task whose labels are known, and prove that they fit."""
    disable_progress_bar()  # the library's own bars would cut through ours
    settings = OmegaConf.to_object(cfg.trainer)
    assert isinstance(settings, TrainerConfig)
    accelerator = make_accelerator(settings.device, settings.precision)
    strategy = build_strategy(cfg)
    if strategy.reading.wants_scorer:
        strategy.reading.take_scorer(_published(build(cfg.model, ModelSource)))
    seed_everything(cfg.seed)  # the new head starts from it
    model, facts = build_model(strategy, source, task, cfg.context.length)
    tokenizer = source.tokenizer()
    if task.head in POOLED and model.config.pad_token_id != tokenizer.pad_token_id:
        model.config.pad_token_id = tokenizer.pad_token_id  # heads of decoders find the last token by it
    task.prepare(tokenizer)
    return Workbench(task, tokenizer, model, strategy, facts, accelerator, cfg.context.length, settings)
