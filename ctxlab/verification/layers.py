"""Checks each layer separately: changes the state of a token before it, and measures which states change after it.

Over several layers an influence may become too small for floating-point arithmetic, over one it does not. So this check
compares the pattern pair by pair, in deep models too.

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

from ctxlab.core.architecture import layers, sliding_layers
from ctxlab.core.contract import option
from ctxlab.core.prefix import is_taking
from ctxlab.core.strategy import Pattern
from ctxlab.core.types import Window
from ctxlab.verification.check import Check, scientific
from ctxlab.verification.precision import KeepDouble
from ctxlab.verification.probes import places
from ctxlab.verification.reach import CONTEXTS, LEAST
from ctxlab.verification.subject import Subject, rms

Recorded = TypeVar("Recorded")

NUM_PLACES = 16
"""States that are changed in every window and layer, one at a time."""


@dataclass(frozen=True, eq=False)
class LayerCall:
    """The arguments of a layer's call in a pass."""

    subject: Subject
    layer: torch.nn.Module
    states: torch.Tensor
    """(B, S, D)"""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Return the layer's output (B, S, D) for other states (B, S, D)."""
        # A call appends to the KV cache, so each call gets a copy.
        kwargs = {name: copy.deepcopy(v) if isinstance(v, Cache) else v for name, v in self.kwargs.items()}
        output = self.layer(self.subject.own(states), *self.args, **kwargs)
        states_after: torch.Tensor = output[0] if isinstance(output, tuple) else output
        return self.subject.whole(states_after)

    def num_cached(self) -> int:
        """Return the number of cached keys before the window's own."""
        caches = [value for value in self.kwargs.values() if isinstance(value, Cache)]
        return int(caches[0].get_seq_length(getattr(self.layer, "layer_idx", 0) or 0)) if caches else 0


@dataclass(frozen=True, eq=False)
class Fault:
    """The pairs of tokens of a window that are not as declared."""

    leaks: int = 0
    missing: int = 0
    worst: float = 0.0
    """Largest influence that was not declared, relative to the size of the states."""
    first: str = ""


@torch.no_grad()
def check_layers(subject: Subject) -> Check:
    """Check that in every layer a change of a token's state affects exactly the tokens that may attend to it."""
    name, proves = "every layer", "In every layer, exactly the tokens declared to attend to a token depend on it."
    stack = layers(subject.model)
    if not stack:
        return Check(name, proves, None, "No list of layers with the model's number of layers can be found.")
    exact = subject.strategy.attention.exact
    found, count = [], 0
    with KeepDouble() if exact else nullcontext():
        for inputs, windows, calls in each_pass(subject, partial(_recording, subject, stack)):
            for depth, call in enumerate(calls):
                must = exact and not sliding_layers(subject.model)[depth]
                for row, window in enumerate(windows):
                    found.append(_compare(subject, inputs, window=window, row=row, call=call, depth=depth, must=must))
                    count += 1
    wrong = [fault for fault in found if fault.first]
    worst = max(fault.worst for fault in found)
    if not wrong:
        detail = f"{NUM_PLACES} tokens changed one at a time in {count} windows of {len(stack)} layers"
        return Check(
            name, proves, True, f"{detail}{'' if exact else '; the pattern is an upper bound'}.", deviation=worst
        )
    leaks, missing = (sum(getattr(fault, kind) for fault in wrong) for kind in ("leaks", "missing"))
    detail = f"{leaks:,} influences are not declared and {missing:,} declared ones are missing: {wrong[0].first}"
    detail = f"{detail}, but attention={option(subject.strategy.attention)} declares otherwise."
    return Check(name, proves, False, detail, deviation=worst)


def each_pass(
    subject: Subject, recording: Callable[[], AbstractContextManager[list[Recorded]]]
) -> Iterator[tuple[dict[str, torch.Tensor], list[Window], list[Recorded]]]:
    """Yield the model's inputs in each pass over a document, its windows, and what was recorded of each layer.

    Args:
        subject: What is verified.
        recording: Returns a context in which a list is filled, layer by layer, while the model runs.
    """
    given: list[dict[str, torch.Tensor]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        given.append(dict(inputs))
        return subject.call(inputs)

    items = subject.items(subject.document(round(subject.length * CONTEXTS)))
    passes = subject.passes(forward).run(items)
    while True:
        with recording() as recorded:
            passed = next(passes, None)
        if passed is None:
            return
        yield given.pop(), [items[i].windows[w] for i, w in passed.rows], recorded[: subject.facts.num_layers]


@contextmanager
def _recording(subject: Subject, stack: Sequence[torch.nn.Module]) -> Iterator[list[LayerCall]]:
    """Record the calls of the layers of ``stack`` while the model runs in this context."""
    calls: list[LayerCall] = []

    def note(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if is_taking():
            return  # trained tokens, which a tuning rule passes through the layers before the text
        args = args or (kwargs.pop("hidden_states"),)
        kept = {name: copy.deepcopy(v) if isinstance(v, Cache) else v for name, v in kwargs.items()}
        calls.append(LayerCall(subject, layer, states=subject.whole(args[0]), args=args[1:], kwargs=kept))

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
    call: LayerCall,
    depth: int,
    *,
    must: bool,
) -> Fault:
    """Compare the declared and the measured influence of some states of one window on all of its states.

    Args:
        subject: What is verified.
        inputs: Inputs of the model in this pass.
        window: The window.
        row: Its row in the pass.
        call: The layer's call.
        depth: Index of the layer, from 0.
        must: Whether all declared pairs must attend.
    """
    memory, cached = subject.strategy.memory, call.num_cached()
    length = len(window) + memory.num_added
    pattern = subject.strategy.attention.pattern(inputs, row)
    could = _could(subject, pattern, length, cached)
    base, leaks, missing, worst, first = call(call.states), 0, 0, 0.0, ""
    for place in places(subject, length, NUM_PLACES):
        states = call.states.clone()
        states[row, place] += torch.linspace(-1, 1, states.shape[-1]).to(states) * rms(states[row, place])
        changes = ((call(states) - base).abs().amax(-1) / rms(base)).nan_to_num(nan=torch.inf).cpu()
        declared = torch.zeros_like(changes, dtype=torch.bool)
        declared[row, :length] = could(place)
        leak = changes.where(~declared, 0.0)
        if call.states.shape[1] > length:
            leak[row, length:] = 0  # padding, whose states are never used
        absent = declared & (changes <= LEAST) if must else torch.zeros_like(declared)
        if bool((leak > LEAST).any() | absent.any()) and not first:
            first = _describe(leak, absent, row=row, place=place, depth=depth)
        leaks, missing = leaks + int((leak > LEAST).sum()), missing + int(absent.sum())
        worst = max(worst, float(leak.max()))
    return Fault(leaks, missing, worst, first)


def _describe(leak: torch.Tensor, absent: torch.Tensor, row: int, place: int, depth: int) -> str:
    """Return a sentence about the largest undeclared influence, else about the first missing one."""
    if bool((leak > LEAST).any()):
        other, query = divmod(int(leak.argmax()), leak.shape[1])
        where = "" if other == row else " of another window"
        return f"in layer {depth + 1} token {query}{where} depends on token {place} ({scientific(float(leak.max()))})"
    query = int(absent[row].nonzero()[0])
    return f"in layer {depth + 1} token {query} of its window does not depend on token {place}"


def _could(subject: Subject, pattern: Pattern, length: int, cached: int) -> Any:
    """Return a function from the index of a state to (S,) bool: which states may depend on it."""

    def seen(place: int) -> torch.Tensor:
        query, key = torch.arange(length) + cached, torch.tensor([place + cached])
        allowed = pattern(query[:, None], key[None], length + cached)[:, 0]
        if subject.is_causal and not subject.strategy.attention.looks_ahead:
            allowed = allowed & (query >= key)
        elif subject.strategy.attention.looks_ahead:
            allowed = torch.ones_like(allowed)
        return allowed | (query == key)

    return seen
