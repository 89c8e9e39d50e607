"""A run whose weights are dealt to its processes (``trainer.sharding=full``): what that works with, and its start."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ctxlab.core import knowledge
from ctxlab.core.architecture import decoder_layers, layers, vocabulary_size
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.model import ADDED_MODULES
from ctxlab.models.loading.checkpointed import WEIGHTS
from ctxlab.runtime import sharded
from ctxlab.runtime.ranks import Ranks
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.parts import Parts

SAME = 1e-3
"""Largest deviation of outputs and gradients, relative to their size, that rounding explains."""

TOKENS = 16
"""Tokens of the text for which outputs and gradients are compared."""

SMALL = 1e-6
"""Squares of norms below this fraction of the largest one are rounding (keys have no bias that matters)."""

OUTPUTS = "outputs"

WITHOUT = "or trainer.sharding=null."


def check_sharding(parts: Parts, bench: Workbench, ranks: Ranks) -> None:
    """Refuse to deal the weights where that is not known to work, naming what does.

    Raises:
        UserError: A setting, a part, the task or the model does not allow it.
    """
    if bench.settings.sharding is None:
        return
    problem = _of_settings(bench, ranks) or _of_training(parts) or _of_strategy(bench) or _of_model(bench)
    if problem:
        raise UserError(f"trainer.sharding={bench.settings.sharding} deals the weights to all processes, {problem}")


def begin(bench: Workbench, ranks: Ranks) -> None:
    """Deal the weights of the model to all processes, if the run asks for it; before its optimizer is built.

    Raises:
        UserError: The model then fails or computes something else: it uses weights outside of its layers' calls.
    """
    if bench.settings.sharding is None:
        return
    model = bench.model
    model.to(bench.accelerator.device)
    ranks.copy([*model.parameters(), *model.buffers()])
    before = _sample(bench)
    with sharded.losses_told():
        sharded.deal(model, [*layers(model), *decoder_layers(model)], bench.accelerator.device, ranks)
        worst = float(ranks.table([_deviation(before, _sample_of_parts(bench), ranks.size)]).max())
    if not worst <= SAME:
        raise UserError(
            f"trainer.sharding={bench.settings.sharding} does not work with model type `{model.config.model_type}`: "
            f"its outputs or gradients are then others (by {worst:.1e} of their size); use trainer.sharding=null, or a "
            "model such as BERT, Llama or T5."
        )


def take_weights(model: Any, folder: Path, ranks: Ranks) -> None:
    """Replace weights that are dealt by those of a checkpoint, which the first process reads.

    Args:
        model: Assembled like the saved one.
        folder: The checkpoint; only the first process needs it.
        ranks: This process among those of the run, all of which must call this.
    """
    sharded.take(model, load_file(folder / WEIGHTS) if ranks.leads else {}, ranks)


def _of_settings(bench: Workbench, ranks: Ranks) -> str:
    """Return which other setting of the trainer does not fit, as the end of a sentence; empty if all do."""
    settings = bench.settings
    if ranks.size == 1:
        return f"and there is 1: use trainer.processes=2 or more, {WITHOUT}"
    if settings.lanes not in (None, ranks.size):
        return (
            f"which sums gradients pass by pass, and trainer.lanes={settings.lanes} sums them apart: leave out "
            f"trainer.lanes, {WITHOUT}"
        )
    if settings.context_parallel > 1:
        return (
            f"which was not tried with trainer.context_parallel={settings.context_parallel}: use "
            f"trainer.context_parallel=1, {WITHOUT}"
        )
    if bench.accelerator.mixed_precision == "fp16":
        return f"which was not tried with trainer.precision=fp16: use trainer.precision=bf16, {WITHOUT}"
    return ""


def _of_training(parts: Parts) -> str:
    """Return which component of the training does not declare that it works with this."""
    if not parts.objective.fixed_passes:
        return (
            f"which must run equally many passes, and objective={option(parts.objective)} does not promise that: use "
            f"objective=standard, {WITHOUT}"
        )
    if not parts.optimizer.elementwise:
        name = f"optimizer={option(parts.optimizer)}"
        return f"but {name} does not say that it needs no whole tensors: use optimizer=adamw, {WITHOUT}"
    if parts.averaging.copies:
        return f"which averaging={option(parts.averaging)} was not tried with: use averaging=none, {WITHOUT}"
    if not parts.tuning.shards:
        return f"which tuning={option(parts.tuning)} does not support: use tuning=full or tuning=top_k, {WITHOUT}"
    return ""


def _of_strategy(bench: Workbench) -> str:
    """Return which part of the strategy does not work with this."""
    strategy, length = bench.strategy, bench.length
    if strategy.memory.sequential or strategy.memory.num_added:
        return (
            f"which must run equally many passes, and with strategy/memory={option(strategy.memory)} their number "
            f"depends on the documents: use strategy/memory=none, {WITHOUT}"
        )
    if strategy.reading.joins:
        return (
            f"which strategy/reading={option(strategy.reading)} does not support: use strategy/reading=chunk, {WITHOUT}"
        )
    if strategy.positions.by_batch:
        return (
            f"which must run equally many passes, and with strategy/positions={option(strategy.positions)} their "
            f"number depends on the documents: use strategy/positions=yarn, {WITHOUT}"
        )
    if strategy.curriculum.by_loss:
        return (
            f"which strategy/curriculum={option(strategy.curriculum)} was not tried with: use "
            f"strategy/curriculum=constant, {WITHOUT}"
        )
    grows = strategy.curriculum.length(0.0, length) != length
    if grows and strategy.positions.extends and bench.facts.positions == "learned":
        return (
            f"but strategy/curriculum={option(strategy.curriculum)} changes a position table that no process has "
            f"whole: use strategy/curriculum=constant, {WITHOUT}"
        )
    return ""


def _of_model(bench: Workbench) -> str:
    """Return what in the model is not called as one of its layers."""
    model = bench.model
    for family, module in getattr(model, ADDED_MODULES, {}).items():
        if not any(True for _ in module.parameters()):
            continue
        part = getattr(bench.strategy, family, None)
        owner = "knowledge" if family == knowledge.FAMILY else f"task={bench.task.name}"
        name = owner if part is None else f"strategy/{family}={option(part)}"
        return f"but {name} has weights of its own outside of the layers: use another one, {WITHOUT}"
    if not layers(model):
        return f"but no layers are found in model type `{model.config.model_type}`: use another model, {WITHOUT}"
    return ""


def _sample(bench: Workbench) -> dict[str, float]:
    """Return the mean square of the outputs for a short text, and the square of the norm of each weight's gradient.

    All processes read the same text. Gradients are dropped one by one, so that they are never there together.
    """
    model, found = bench.model, {}
    names = {parameter: name for name, parameter in model.named_parameters() if parameter.requires_grad}
    ids = torch.arange(TOKENS, device=bench.accelerator.device)[None] % vocabulary_size(model)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if bench.strategy.attention.wants_marks:
        inputs["marks"] = torch.zeros_like(ids)
    if bench.facts.kind == "encoder_decoder":
        inputs["decoder_input_ids"] = ids
    with _without_dropout(model):
        outputs = model(**inputs).logits.float().square().mean()
        outputs.backward()
    for parameter, name in names.items():
        if parameter.grad is not None:
            found[name] = float(sharded.full(parameter.grad).double().square().sum())
            parameter.grad = None
    return {**found, OUTPUTS: float(outputs.detach())}


def _sample_of_parts(bench: Workbench) -> dict[str, float]:
    """Return the same where the weights are dealt; nothing if the model then fails."""
    try:
        return _sample(bench)
    except (RuntimeError, TypeError) as error:
        if sharded.tells_of_a_loss(error):
            raise
        return {}


@contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _deviation(before: dict[str, float], after: dict[str, float], processes: int) -> float:
    """Return the largest relative difference; infinite if other weights have a gradient.

    After the deal, gradients are sums over processes that have read the same text.
    """
    if before.keys() != after.keys():
        return float("inf")
    least = SMALL * max(before.values())
    found = {name: value if name == OUTPUTS else value / processes**2 for name, value in after.items()}
    return max(abs(found[name] - value) / max(value, least, 1e-30) for name, value in before.items())
