"""Checks each head separately: which keys have a weight in which query head, compared with the pattern of that head.

The output projection of a layer mixes all heads, so a pattern in the wrong heads would not be noticed after it.
Therefore the attention function of a layer is called again with zero queries, whose weights are equal for all keys that
they attend to, and with values that are 1 in one channel per examined key: the output in that channel is the weight of
that key.

Shape legend: B windows of a pass, H query heads, G key heads, Q queries, S keys (those of a cache first), D head width.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ctxlab.core.architecture import layers, reading_stack, sliding_layers
from ctxlab.core.contract import option
from ctxlab.core.prefix import without_prefix
from ctxlab.core.types import Window
from ctxlab.verification.check import Check
from ctxlab.verification.layers import NUM_PLACES, each_pass
from ctxlab.verification.precision import KeepDouble
from ctxlab.verification.probes import places
from ctxlab.verification.subject import Subject


@dataclass(frozen=True, slots=True, eq=False)
class AttentionCall:
    """The arguments of a layer's call of its attention function in a pass."""

    subject: Subject
    function: Any
    module: Any
    tensors: tuple[torch.Tensor, ...]
    """Query (B, H, Q, D), key and value (B, G, S, D)."""
    rest: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def num_cached(self) -> int:
        """Return the number of cached keys before the window's own."""
        query, key, _ = self.tensors
        return key.shape[2] - query.shape[2]

    def weights(self, looked_at: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return (B, Q, H, P): weights of P keys of each window with zero queries; P is at most D."""
        query, key, value = self.tensors
        channels = torch.zeros_like(value)
        for row, keys in enumerate(looked_at):
            channels[row, :, keys, range(len(keys))] = 1
        query, key, channels = (self.subject.own(one, 2) for one in (torch.zeros_like(query), key, channels))
        output: torch.Tensor = self.function(self.module, query, key, channels, *self.rest, **self.kwargs)[0]
        return self.subject.whole(output)


@torch.no_grad()
def check_heads(subject: Subject) -> Check:
    """Check that exactly the declared keys have a weight in every head of every layer."""
    name, proves = "every head", "In every head, a token attends to exactly the tokens that are declared for that head."
    attention = subject.strategy.attention
    stack, part = layers(subject.model), f"attention={option(attention)}"
    if not attention.exact or attention.looks_ahead:
        return Check(name, proves, None, f"{part} declares an upper bound only.")
    if not stack or reading_stack(subject.model).config._attn_implementation not in ALL_ATTENTION_FUNCTIONS:
        return Check(name, proves, None, "The attention function of this model's layers cannot be found.")
    count, wrong, heads = 0, [], 0
    with KeepDouble() if attention.exact else nullcontext(), without_prefix():
        for inputs, windows, calls in each_pass(subject, partial(_recording, subject, stack)):
            for depth, call in enumerate(calls):
                must = not sliding_layers(subject.model)[depth]
                wrong += _compare(subject, inputs, windows=windows, call=call, depth=depth, must=must)
                count, heads = count + len(windows), call.tensors[0].shape[1]
    if not count:
        return Check(name, proves, None, "No layer calls its attention function through the library's interface.")
    if not wrong:
        detail = f"{NUM_PLACES} keys in each of {heads} heads, in {count} windows of {len(stack)} layers."
        return Check(name, proves, True, detail, deviation=0.0)
    worst = max(weight for weight, _ in wrong)
    return Check(name, proves, False, f"{wrong[0][1]}, but {part} declares otherwise.", deviation=worst)


@contextmanager
def _recording(subject: Subject, stack: Sequence[torch.nn.Module]) -> Iterator[list[AttentionCall]]:
    """Record the calls of the attention function by layers of ``stack`` while the model runs in this context."""
    name = reading_stack(subject.model).config._attn_implementation
    function, calls = ALL_ATTENTION_FUNCTIONS[name], []
    inside = {id(module) for layer in stack for module in layer.modules()}

    def note(module: Any, query: Any, key: Any, value: Any, *rest: Any, **kwargs: Any) -> Any:
        if id(module) in inside:
            tensors = tuple(subject.whole(one, 2) for one in (query, key, value))
            calls.append(AttentionCall(subject, function, module, tensors=tensors, rest=rest, kwargs=kwargs))
        return function(module, query, key, value, *rest, **kwargs)

    AttentionInterface.register(name, note)
    try:
        yield calls
    finally:
        AttentionInterface.register(name, function)


def _compare(
    subject: Subject,
    inputs: Mapping[str, torch.Tensor],
    windows: Sequence[Window],
    call: AttentionCall,
    depth: int,
    *,
    must: bool,
) -> list[tuple[float, str]]:
    """Return undeclared weights and declared ones that are zero, one entry per window and head, with a sentence.

    Args:
        subject: What is verified.
        inputs: Inputs of the model in this pass.
        windows: Windows of its rows.
        call: The layer's call of its attention function.
        depth: Index of the layer, from 0.
        must: Whether all declared pairs must attend.
    """
    sizes = [len(window) + subject.strategy.memory.num_added for window in windows]
    width = call.tensors[2].shape[-1]
    looked_at = [places(subject, size, min(NUM_PLACES, width)) for size in sizes]
    cached, num_heads = call.num_cached, call.tensors[0].shape[1]
    weights = call.weights([[cached + place for place in keys] for keys in looked_at]).cpu()
    wrong = []
    for row, (size, keys) in enumerate(zip(sizes, looked_at, strict=True)):
        for head in range(num_heads):
            declared = _declared(
                subject,
                inputs,
                row=row,
                head=head,
                num_heads=num_heads,
                keys=torch.tensor(keys),
                size=size,
                cached=cached,
            )
            found = weights[row, :size, head, : len(keys)]
            itself = torch.arange(size)[:, None] == torch.tensor(keys)  # a query without keys may attend to itself
            leak, absent = found.where(~declared & ~itself, 0.0), declared & (found == 0) & must
            if bool((leak != 0).any() | absent.any()):
                wrong.append((float(leak.abs().max()), _describe(leak, absent, keys=keys, head=head, depth=depth)))
    return wrong


def _declared(
    subject: Subject,
    inputs: Mapping[str, torch.Tensor],
    row: int,
    head: int,
    num_heads: int,
    keys: torch.Tensor,
    size: int,
    cached: int,
) -> torch.Tensor:
    """Return (Q, P) bool: which of ``keys`` the queries of one window may attend to in one head.

    Args:
        subject: What is verified.
        inputs: Inputs of the model in this pass.
        row: Row of the window in the pass.
        head: Query head, from 0.
        num_heads: Query heads of the layer.
        keys: (P,) indices of the examined keys in the window.
        size: Tokens of the window, memory tokens included.
        cached: Cached keys before the window.
    """
    pattern = subject.strategy.attention.pattern_of_head(inputs, row, head, num_heads)
    query, key = torch.arange(size)[:, None], keys[None]
    allowed = pattern(query + cached, key + cached, size + cached)
    return allowed & (key <= query) if subject.is_causal else allowed


def _describe(leak: torch.Tensor, absent: torch.Tensor, keys: Sequence[int], head: int, depth: int) -> str:
    """Return a sentence about the first deviation: a key with an undeclared weight, else one without a declared one."""
    if bool((leak != 0).any()):
        query, place = divmod(int(leak.abs().argmax()), leak.shape[1])
        return f"in layer {depth + 1}, head {head + 1}, token {query} attends to token {keys[place]}"
    query, place = (int(index) for index in absent.nonzero()[0])
    return f"in layer {depth + 1}, head {head + 1}, token {query} does not attend to token {keys[place]}"
