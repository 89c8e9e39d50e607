"""Checks that model, task and strategy work together; a refusal names a combination that does."""

from typing import Any

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.knowledge import Knowledge
from ctxlab.core.model import ModelFacts
from ctxlab.core.numbers import Numbers
from ctxlab.core.strategy import Positions, Strategy
from ctxlab.core.task import Task

EXTENDING = {
    "learned": "strategy=longformer or strategy=dense, which extend positions, or add strategy/positions=tile",
    "rotary": "strategy=yarn or strategy=ntk, which extend positions, or add strategy/positions=yarn",
}
"""Kind of positions → strategies that reach beyond the trained length."""


def check_fit(strategy: Strategy, facts: ModelFacts, length: int) -> None:
    """Refuse a strategy that cannot work on this model at this length, naming one that can.

    Raises:
        UserError: A part does not support the kind of model or of positions, or windows exceed the trained length.
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
    if facts.rope_scaling:
        raise UserError(
            f"context.length={length} with strategy={strategy.name} gives windows of {longest:,} tokens, but the "
            f"model's positions are already scaled ({facts.rope_scaling}) to {trained:,} and cannot be scaled "
            f"again: use context={trained} or less."
        )
    raise UserError(
        f"context.length={length} with strategy={strategy.name} gives windows of {longest:,} tokens, but the model was "
        f"trained for {trained:,}: use {EXTENDING[facts.positions]}, or use context={trained}{_grown(facts)}."
    )


def fit_lengths(strategy: Strategy, trained_length: int | None, length: int) -> None:
    """Set sizes that depend on the length of windows; a memory as long as a window takes half of the positions."""
    memory = strategy.memory
    cached = (trained_length or 0) // 2 if memory.num_cached is None else memory.num_cached
    strategy.reading.fit(trained_length, memory.num_added + cached, length, extended=strategy.positions.extends)
    memory.fit(strategy.reading.longest(length))
    strategy.attention.fit(strategy.reading.longest(length) + memory.num_added)


def window_notes(strategy: Strategy, facts: ModelFacts, length: int) -> list[str]:
    """Return the note for a report if windows are shorter than the context because the model was trained for less."""
    longest = strategy.reading.longest(length)
    if longest >= length or strategy.reading.links:
        return []
    reach = f"; to read further, use {EXTENDING[facts.positions]}" if facts.positions in EXTENDING else ""
    return [
        f"The model was trained for {longest:,} tokens, so strategy={strategy.name} reads windows of {longest:,} and "
        f"not of context.length={length:,}{reach}{_grown(facts)}."
    ]


def _grown(facts: ModelFacts) -> str:
    return " (model.growth adds layers and hidden units, and moves no limit of positions)" if facts.grown else ""


def idle_notes(strategy: Strategy) -> list[str]:
    """Return the note for a report if the attention part, as installed, changes nothing in windows of this length."""
    return [f"{strategy.attention.idle}."] if strategy.attention.idle else []


def check_active(strategy: Strategy) -> None:
    """Refuse to train with an attention part that changes nothing in any window.

    Raises:
        UserError: It does not; names attention that reads the same without it.
    """
    if strategy.attention.idle:
        raise UserError(f"{strategy.attention.idle}: give a longer context, or use strategy/attention=full.")


def training_notes(strategy: Strategy) -> list[str]:
    """Return the note for a report if evaluation and prediction do not read as training does."""
    if not strategy.attention.trains_only:
        return []
    return [
        f"strategy/attention={option(strategy.attention)} is for training only: evaluation and prediction read with "
        "full attention."
    ]


def check_kind(task: Task, kind: str) -> None:
    """Refuse a kind of model that the task does not support, naming a model that it does.

    Raises:
        UserError: The task does not support ``kind``.
    """
    if kind not in task.kinds:
        raise UserError(
            f"task={task.name} needs a model of kind {' or '.join(sorted(task.kinds))}, and this one is of kind "
            f"{kind}: {_MODELS[min(task.kinds)]}."
        )


def check_task(task: Task, strategy: Strategy, facts: ModelFacts) -> None:
    """Refuse a task that the kind of model or the reading does not support, naming one that does.

    Raises:
        UserError: Another kind of model is needed, or the task needs contiguous windows.
    """
    check_kind(task, facts.kind)
    if task.generates:
        _check_generation(strategy)
    elif strategy.reading.fuses and facts.kind in strategy.reading.supports:
        raise UserError(
            f"strategy/reading={option(strategy.reading)} lets a decoder read several windows together, and "
            f"task={task.name} generates no text: use strategy=hierarchical, or task=qa or task=summarization."
        )
    if task.contiguous and not strategy.reading.contiguous:
        raise UserError(
            f"task={task.name} predicts the next token, which strategy/reading={option(strategy.reading)} may leave "
            "out: use strategy/reading=chunk."
        )


def check_alone(task: Task, strategy: Strategy) -> None:
    """Refuse to train a task that compares windows of a pass where the strategy treats them otherwise.

    Raises:
        UserError: The curriculum goes by the loss of each document, or memory or reading links windows that have to
            stand alone.
    """
    if task.compares and strategy.curriculum.by_loss:
        raise UserError(
            f"strategy/curriculum={option(strategy.curriculum)} goes by the loss of each document, and "
            f"task={task.name} has a loss of several together only: use strategy/curriculum=competence."
        )
    if not task.compares or task.views > 1:
        return
    for family, linked in (("memory", strategy.memory.sequential), ("reading", strategy.reading.joins)):
        if linked:
            raise UserError(
                f"task={task.name} learns from windows that stand alone, and strategy/{family}="
                f"{option(getattr(strategy, family))} links them: train with strategy=chunk, and evaluate that run "
                "with any other."
            )


def _check_generation(strategy: Strategy) -> None:
    """Refuse what cannot work where text is generated after a window: links between windows, and structure marks."""
    reading = strategy.reading
    for family, linked in (("memory", strategy.memory.sequential), ("reading", reading.joins and not reading.fuses)):
        if linked:
            raise UserError(
                f"strategy/{family}={option(getattr(strategy, family))} carries state from window to window, but text "
                "is generated after each window separately: use strategy=chunk or strategy=truncate."
            )
    if strategy.attention.wants_marks:
        raise UserError(
            f"strategy/attention={option(strategy.attention)} needs marks of the document's structure, which "
            "generated text does not have: use strategy/attention=local or strategy/attention=full."
        )


def check_recomputing(model: Any, strategy: Strategy) -> None:
    """Refuse activation checkpointing if the model does not support it, or if a memory is in the KV cache.

    Raises:
        UserError: The model or the memory does not allow it (checkpointing turns the KV cache off).
    """
    setting = "trainer.activation_checkpointing=true"
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise UserError(f"{setting}: {type(model).__name__} does not support activation checkpointing: use false.")
    if strategy.memory.sequential and strategy.memory.num_cached != 0:
        raise UserError(
            f"{setting} turns off the KV cache, in which strategy/memory={option(strategy.memory)} is stored: use "
            "false, or strategy=rmt, whose memory is tokens."
        )


_MODELS = {
    "decoder": "use model=smollm2 or model=tiny_llama",
    "encoder": "use model=minilm or model=tiny_bert",
    "encoder_decoder": "use model=tiny_t5 or model.path=<folder or hub id>",
}
"""Kind of model → models of that kind to suggest."""


def _check_window(strategy: Strategy, length: int) -> None:
    """Refuse a sliding window wider than the context: it would be full attention."""
    window = getattr(strategy.attention, "window", None)
    if isinstance(window, int) and window > length:
        raise UserError(
            f"strategy.attention.window={window} is wider than context.length={length}: use "
            f"strategy.attention.window={max(length // 4, 1)} or less, a longer context, or strategy/attention=full."
        )


def _check_memory(strategy: Strategy, facts: ModelFacts) -> None:
    """Refuse a memory where windows are not linked, or a model whose positions it does not support."""
    memory, reading = strategy.memory, strategy.reading
    if not memory.sequential:
        return
    name = f"strategy/memory={option(memory)}"
    if reading.joins or not reading.links:
        raise UserError(
            f"{name} carries state from window to window, but strategy/reading={option(reading)} has no linked "
            "windows: use strategy/reading=segments."
        )
    if facts.positions not in memory.positions:
        raise UserError(
            f"{name} works with {' or '.join(sorted(memory.positions))} positions, and the model has "
            f"{facts.positions} ones: use strategy=rmt, or a model such as model=smollm2."
        )


def _check_positions(part: Positions, facts: ModelFacts, longest: int) -> None:
    """Refuse a part that extends another kind of positions than the model has."""
    if not part.extends or facts.positions in part.kinds:
        return
    if facts.positions == "rotary" and longest <= (facts.trained_length or 0):
        return  # a preset for learned tables includes such a part, and nothing has to be extended
    begin = f"strategy/positions={option(part)} extends {' and '.join(sorted(part.kinds))} positions, but the model"
    if facts.positions not in EXTENDING:
        raise UserError(f"{begin} has none of these and works at any length without: use strategy/positions=keep.")
    raise UserError(
        f"{begin} has {facts.positions} ones, trained for {facts.trained_length:,} tokens: "
        f"use {EXTENDING[facts.positions]}, or use context={facts.trained_length} with strategy/positions=keep."
    )


def check_knowledge(knowledge: Knowledge, strategy: Strategy, facts: ModelFacts) -> None:
    """Refuse knowledge that marks tokens where the model does not receive the marks of its own tokens.

    Raises:
        UserError: Names the knowledge, and what it does not work with.
    """
    if not knowledge.wants_marks:
        return
    name = f"knowledge={option(knowledge)}"
    if facts.kind == "encoder_decoder":
        raise UserError(f"{name} does not work with encoder-decoders: use model=minilm, or knowledge=none.")
    if strategy.memory.num_added:
        memory = f"strategy/memory={option(strategy.memory)}"
        raise UserError(f"{name} does not work with {memory}, which embeds tokens itself: use strategy/memory=none.")


def check_numbers(numbers: Numbers, task: Task) -> None:
    """Refuse numbers of words that the model takes and the task does not read, or the other way round.

    Raises:
        UserError: Names the key that is missing, or tasks whose words may have numbers.
    """
    if numbers.is_on and not task.takes_numbers:
        raise UserError(
            f"model.numbers.kind={numbers.kind} needs numbers for each word, which task={task.name} does not read: use "
            "task=ner or task=classification, or model.numbers.kind=none."
        )
    if numbers.is_on and task.numbers_field is None:
        raise UserError(
            f"model.numbers.kind={numbers.kind} has no numbers to take: name the field of a record that has them for "
            "each word, such as task.numbers_field=boxes."
        )
    if task.numbers_field is not None and not numbers.is_on:
        raise UserError(
            f"task.numbers_field={task.numbers_field} gives numbers that the model does not take: add "
            "model.numbers.kind=boxes or floats, or leave it out."
        )
