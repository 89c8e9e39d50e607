"""Every layer by itself: change a token's state in front of it, and see which tokens it reaches behind it.

Through several layers an influence may become too small for any arithmetic; through one it does not. So this is where
a pattern is held to the pair of tokens, in each layer of a deep model as well.

Shape legend: B windows of a pass, S states of a window in a layer (those of a memory included), D hidden size.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from transformers import Cache

from ctxlab.core.architecture import layers
from ctxlab.core.contract import option
from ctxlab.core.strategy import Pattern
from ctxlab.core.types import Window
from ctxlab.runtime.forward import Passes
from ctxlab.verification.check import Check, scientific
from ctxlab.verification.declared import narrowed_layers
from ctxlab.verification.precision import KeepDouble
from ctxlab.verification.probes import places
from ctxlab.verification.reach import CONTEXTS, LEAST
from ctxlab.verification.subject import Subject, size

Heard = TypeVar("Heard")

NUM_PLACES = 16
"""States that are changed in every window and layer, one at a time."""


@dataclass(frozen=True, eq=False)
class Call:
    """What a layer was given in a pass."""

    layer: torch.nn.Module
    states: torch.Tensor
    """(B, S, D)"""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """The layer's answer to other states."""
        # A cache takes in what it is shown: each call gets its own.
        kwargs = {name: copy.deepcopy(v) if isinstance(v, Cache) else v for name, v in self.kwargs.items()}
        output = self.layer(states, *self.args, **kwargs)
        answer: torch.Tensor = output[0] if isinstance(output, tuple) else output
        return answer

    def num_cached(self) -> int:
        """Keys that stand in front of the window's own."""
        caches = [value for value in self.kwargs.values() if isinstance(value, Cache)]
        return int(caches[0].get_seq_length(getattr(self.layer, "layer_idx", 0) or 0)) if caches else 0


@dataclass(frozen=True, eq=False)
class Fault:
    """Pairs of tokens that are not as declared."""

    leaks: int = 0
    missing: int = 0
    worst: float = 0.0
    """Largest influence that was not declared, relative to the size of the states."""
    first: str = ""


@torch.no_grad()
def check_layers(subject: Subject) -> Check:
    """In every layer, a change of a token's state reaches the tokens that may attend to it, and no other."""
    name, proves = "every layer", "In every layer, just the tokens that are declared to attend to a token depend on it."
    stack = layers(subject.model)
    if not stack:
        return Check(name, proves, None, None, "The layers of this model are not found by their number.")
    exact = subject.strategy.attention.exact
    found, count = [], 0
    with KeepDouble() if exact else nullcontext():
        for inputs, windows, calls in each_pass(subject, partial(_listening, stack)):
            for depth, call in enumerate(calls):
                must = exact and not narrowed_layers(subject.model)[depth]
                for row, window in enumerate(windows):
                    found.append(_compare(subject, inputs, window, row, call, depth, must=must))
                    count += 1
    wrong = [fault for fault in found if fault.first]
    worst = max(fault.worst for fault in found)
    if not wrong:
        detail = f"{NUM_PLACES} tokens changed one at a time in {count} windows of {len(stack)} layers"
        return Check(name, proves, True, worst, f"{detail}{'' if exact else '; the pattern is a bound'}.")
    leaks, missing = (sum(getattr(fault, kind) for fault in wrong) for kind in ("leaks", "missing"))
    detail = f"{leaks:,} influences are not declared and {missing:,} declared ones are missing: {wrong[0].first}"
    return Check(name, proves, False, worst, f"{detail}; attention={option(subject.strategy.attention)} is declared.")


def each_pass(
    subject: Subject, listening: Callable[[], AbstractContextManager[list[Heard]]]
) -> Iterator[tuple[dict[str, torch.Tensor], list[Window], list[Heard]]]:
    """What the model was given in each pass over a document, its windows, and what was heard of each layer.

    Args:
        subject: What is verified.
        listening: Makes a list that fills, layer by layer, while the model runs within its context.
    """
    given: list[dict[str, torch.Tensor]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        given.append(dict(inputs))
        return subject.model(**inputs)

    items = subject.items(subject.document(round(subject.length * CONTEXTS)))
    passes = Passes(subject.strategy, forward, subject.pad_id, subject.device).run(items)
    while True:
        with listening() as heard:
            passed = next(passes, None)
        if passed is None:
            return
        yield given.pop(), [items[i].windows[w] for i, w in passed.rows], heard[: subject.facts.num_layers]


@contextmanager
def _listening(stack: Sequence[torch.nn.Module]) -> Iterator[list[Call]]:
    calls: list[Call] = []

    def note(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        args = args or (kwargs.pop("hidden_states"),)
        kept = {name: copy.deepcopy(v) if isinstance(v, Cache) else v for name, v in kwargs.items()}
        calls.append(Call(layer, args[0], args[1:], kept))

    handles = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in stack]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _compare(
    subject: Subject,
    inputs: Mapping[str, torch.Tensor],
    window: Window,
    row: int,
    call: Call,
    depth: int,
    *,
    must: bool,
) -> Fault:
    """Declared and measured influence of some states of one window on all of them."""
    memory, cached = subject.strategy.memory, call.num_cached()
    length = len(window) + memory.num_added
    pattern = subject.strategy.attention.pattern(inputs, row)
    could = _could(subject, pattern, length, cached)
    base, leaks, missing, worst, first = call(call.states), 0, 0, 0.0, ""
    for place in places(subject, length, NUM_PLACES):
        states = call.states.clone()
        states[row, place] += torch.linspace(-1, 1, states.shape[-1]).to(states) * size(states[row, place])
        changes = ((call(states) - base).abs().amax(-1) / size(base)).nan_to_num(nan=torch.inf).cpu()
        declared = torch.zeros_like(changes, dtype=torch.bool)
        declared[row, :length] = could(place)
        leak = changes.where(~declared, 0.0)
        if call.states.shape[1] > length:
            leak[row, length:] = 0  # padding, which nothing reads
        absent = declared & (changes <= LEAST) if must else torch.zeros_like(declared)
        if bool((leak > LEAST).any() | absent.any()) and not first:
            first = _tell(leak, absent, row, place, depth)
        leaks, missing = leaks + int((leak > LEAST).sum()), missing + int(absent.sum())
        worst = max(worst, float(leak.max()))
    return Fault(leaks, missing, worst, first)


def _tell(leak: torch.Tensor, absent: torch.Tensor, row: int, place: int, depth: int) -> str:
    if bool((leak > LEAST).any()):
        other, query = divmod(int(leak.argmax()), leak.shape[1])
        where = "" if other == row else " of another window"
        return f"in layer {depth + 1} token {query}{where} hears of token {place} ({scientific(float(leak.max()))})"
    query = int(absent[row].nonzero()[0])
    return f"in layer {depth + 1} token {query} of its window does not hear of token {place}"


def _could(subject: Subject, pattern: Pattern, length: int, cached: int) -> Any:
    """From the place of a state to (S,): which states may depend on it."""

    def seen(place: int) -> torch.Tensor:
        query, key = torch.arange(length) + cached, torch.tensor([place + cached])
        allowed = pattern(query[:, None], key[None], length + cached)[:, 0]
        if subject.is_causal and not subject.strategy.attention.looks_ahead:
            allowed = allowed & (query >= key)
        elif subject.strategy.attention.looks_ahead:
            allowed = torch.ones_like(allowed)
        return allowed | (query == key)

    return seen
