"""Whether model, task and strategy can work together; what cannot is refused with something that can."""

from typing import Any

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelFacts
from ctxlab.core.strategy import Positions, Strategy
from ctxlab.core.task import Task

STRETCH = {
    "learned": "strategy=longformer or strategy=dense, which stretch positions, or add strategy/positions=tile",
    "rotary": "strategy=yarn or strategy=ntk, which stretch positions, or add strategy/positions=yarn",
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
                f"strategy/{name}={option(part)} does not work on a model of kind {facts.kind} "
                f"(only {', '.join(sorted(part.supports))}); strategy=truncate does."
            )
    _check_memory(strategy, facts)
    _check_window(strategy, length)
    longest, trained = strategy.num_positions(length), facts.trained_length
    _check_positions(strategy.positions, facts, longest)
    if trained is None or longest <= trained or strategy.positions.extends:
        return
    if facts.stretched:
        raise UserError(
            f"context.length={length} with strategy={strategy.name} gives windows of {longest:,} tokens, but the "
            f"model's positions were published stretched ({facts.stretched}) to {trained:,}, and cannot be twice: "
            f"use context={trained} or less."
        )
    raise UserError(
        f"context.length={length} with strategy={strategy.name} gives windows of {longest:,} tokens, but the model was "
        f"trained for {trained:,}: use {STRETCH[facts.positions]}, or use context={trained}."
    )


def fit_lengths(strategy: Strategy, trained_length: int | None, length: int) -> None:
    """Fix the length of windows, and of the memory: a memory as long as a window gets half of the positions."""
    memory = strategy.memory
    cached = (trained_length or 0) // 2 if memory.num_cached is None else memory.num_cached
    strategy.reading.fit(trained_length, memory.num_added + cached, length, stretched=strategy.positions.extends)
    memory.fit(strategy.reading.longest(length))


def window_notes(strategy: Strategy, facts: ModelFacts, length: int) -> list[str]:
    """What a report must say where windows are shorter than the context because the model was trained for less."""
    longest = strategy.reading.longest(length)
    if longest >= length or strategy.reading.links:
        return []
    reach = f"; to read further, use {STRETCH[facts.positions]}" if facts.positions in STRETCH else ""
    return [
        f"The model was trained for {longest:,} tokens, so strategy={strategy.name} reads windows of {longest:,} and "
        f"not of context.length={length:,}{reach}."
    ]


def check_kind(task: Task, kind: str) -> None:
    """Refuse a kind of model that the task does not work with, naming a model that it does.

    Raises:
        UserError: It is another kind.
    """
    if kind not in task.kinds:
        raise UserError(
            f"task={task.name} needs a model of kind {' or '.join(sorted(task.kinds))}, and this one is of kind "
            f"{kind}: {_MODELS[min(task.kinds)]}."
        )


def check_task(task: Task, strategy: Strategy, facts: ModelFacts) -> None:
    """Refuse a task that the kind of model or the way of reading cannot serve, naming what can.

    Raises:
        UserError: Another kind of model is needed, or the task needs unbroken windows.
    """
    check_kind(task, facts.kind)
    if task.writes:
        _check_writing(strategy)
    if task.contiguous and not strategy.reading.contiguous:
        raise UserError(
            f"task={task.name} asks for the next token, which strategy/reading={option(strategy.reading)} may leave "
            "out: use strategy/reading=chunk."
        )


def _check_writing(strategy: Strategy) -> None:
    """Refuse what has no meaning where text is written behind a window: links between windows, and marks."""
    for family, linked in (("memory", strategy.memory.sequential), ("reading", strategy.reading.joins)):
        if linked:
            raise UserError(
                f"strategy/{family}={option(getattr(strategy, family))} carries something from window to window, and "
                "text is written behind each window by itself: use strategy=chunk or strategy=truncate."
            )
    if strategy.attention.wants_marks:
        raise UserError(
            f"strategy/attention={option(strategy.attention)} needs marks of the document's structure, which text "
            "that is written has none of: use strategy/attention=local or strategy/attention=full."
        )


def check_recomputing(model: Any, strategy: Strategy) -> None:
    """Refuse to compute layers twice where the model cannot, or where a memory lives in the cache, which is then off.

    Raises:
        UserError: One of these.
    """
    asked = "trainer.activation_checkpointing=true"
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise UserError(f"{asked}: {type(model).__name__} has no layers that can be computed twice: use false.")
    if strategy.memory.sequential and strategy.memory.num_cached != 0:
        raise UserError(
            f"{asked} turns off the cache that strategy/memory={option(strategy.memory)} is kept in: use false, or "
            "strategy=rmt, whose memory is tokens."
        )


_MODELS = {
    "decoder": "use model=smollm2 or model=tiny_llama",
    "encoder": "use model=minilm or model=tiny_bert",
    "encoder_decoder": "use model=tiny_t5 or model.path=<folder or hub id>",
}
"""What to take where a kind is missing."""


def _check_window(strategy: Strategy, length: int) -> None:
    """Refuse a sliding window that no context of this length could fill: it would be full attention by another name."""
    window = getattr(strategy.attention, "window", None)
    if isinstance(window, int) and window > length:
        raise UserError(
            f"strategy.attention.window={window} is wider than context.length={length}: use "
            f"strategy.attention.window={max(length // 4, 1)} or less, a longer context, or strategy/attention=full."
        )


def _check_memory(strategy: Strategy, facts: ModelFacts) -> None:
    """Refuse a memory that has nothing to carry, or a model whose positions it cannot work with."""
    memory, reading = strategy.memory, strategy.reading
    if not memory.sequential:
        return
    name = f"strategy/memory={option(memory)}"
    if reading.joins or not reading.links:
        raise UserError(
            f"{name} carries something from window to window, but strategy/reading={option(reading)} has no windows "
            "in a row: use strategy/reading=segments."
        )
    if facts.positions not in memory.positions:
        raise UserError(
            f"{name} works with {' or '.join(sorted(memory.positions))} positions, and the model has "
            f"{facts.positions} ones: use strategy=rmt, or a model such as model=smollm2."
        )


def _check_positions(part: Positions, facts: ModelFacts, longest: int) -> None:
    """Refuse a part that stretches another kind of positions than the model has."""
    if not part.extends or facts.positions in part.kinds:
        return
    if facts.positions == "rotary" and longest <= (facts.trained_length or 0):
        return  # presets made for learned tables bring such a part along, and there is nothing to stretch
    begin = f"strategy/positions={option(part)} stretches {' and '.join(sorted(part.kinds))} positions, but the model"
    if facts.positions not in STRETCH:
        raise UserError(f"{begin} has none such, and works at any length without: use strategy/positions=keep.")
    raise UserError(
        f"{begin} has {facts.positions} ones, trained for {facts.trained_length:,} tokens: "
        f"use {STRETCH[facts.positions]}, or use context={facts.trained_length} with strategy/positions=keep."
    )
