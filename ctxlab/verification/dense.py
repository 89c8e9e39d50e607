"""Checks the outputs of every attention of the model against dense attention under the declared mask.

Shape legend: B windows of a pass, H query heads, K keys (cached ones included), D head width, S queries compared.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import AttentionInterface

from ctxlab.core.architecture import layers, sliding_layers
from ctxlab.core.contract import option
from ctxlab.core.passes import Item
from ctxlab.core.prefix import without_prefix
from ctxlab.strategies.attention.full import Full
from ctxlab.verification.check import Check, within
from ctxlab.verification.precision import KeepDouble
from ctxlab.verification.probes import places
from ctxlab.verification.reach import CONTEXTS
from ctxlab.verification.subject import Subject, largest, rms

NUM_QUERIES = 64
"""Queries of a window that are compared: its ends, its hubs, and evenly spread ones."""

SHORT = 0.4
"""Length of a second document as a fraction of the context, so that there is padding."""


@dataclass(frozen=True, eq=False)
class DenseCall:
    """The inputs and outputs of one attention call."""

    layer: int
    query: torch.Tensor
    """(B, H, L, D); key and value may have fewer heads."""
    key: torch.Tensor
    value: torch.Tensor
    scaling: float
    bias: torch.Tensor | None
    """(1 or B, H, L, K) bias that the model adds to the scores."""
    output: torch.Tensor
    """(B, L, H, D)"""


def check_reading(subject: Subject) -> list[Check]:
    """Check that evaluation attends to all pairs, where the pattern is for training only; nothing for other parts."""
    attention = subject.strategy.attention
    if not attention.trains_only:
        return []
    with attention.reading():
        found = check_dense(replace(subject, strategy=replace(subject.strategy, attention=Full())))
    return [replace(found, name="evaluation", proves="Evaluation and prediction read with full attention.")]


@torch.no_grad()
def check_dense(subject: Subject) -> Check:
    """Check that the outputs of all attentions equal softmax(scores) · values over the declared pairs."""
    name, proves = "dense attention", "Each attention has the outputs of dense attention under the declared mask."
    attention = subject.strategy.attention
    if not attention.exact or attention.reweights:
        why = "an upper bound only" if not attention.exact else "weights of its own"
        return Check(name, proves, None, f"attention={option(attention)} declares {why}.")
    deviations, num_calls = [0.0], 0
    with KeepDouble(), without_prefix():
        for inputs, lengths, calls in _passes(subject):
            for call in calls:
                deviations += [
                    _deviation(subject, inputs, call=call, row=row, length=own) for row, own in enumerate(lengths)
                ]
            num_calls += len(calls)
    if not num_calls:
        return Check(name, proves, None, "No attention call of this model can be compared.")
    detail = f"{num_calls} attention calls for documents of {CONTEXTS:g} and {SHORT:g} contexts in one batch."
    return within(name, proves, max(deviations), detail)


def _passes(subject: Subject) -> Iterator[tuple[dict[str, torch.Tensor], list[int], list[DenseCall]]]:
    """Yield the model's inputs in each pass, the tokens of each row, and its attention calls."""
    given: list[dict[str, torch.Tensor]] = []

    def forward(inputs: Mapping[str, Any]) -> Any:
        given.append(dict(inputs))
        return subject.call(inputs)

    lengths = [round(subject.length * CONTEXTS), max(round(subject.length * SHORT), 1)]
    items: list[Item] = [item for n in lengths for item in subject.items(subject.document(n))]
    passes = subject.passes(forward).run(items)
    while True:
        with _recording(subject) as calls:
            passed = next(passes, None)
        if passed is None:
            return
        added = subject.strategy.memory.num_added
        yield given.pop(), [len(items[i].windows[w]) + added for i, w in passed.rows], calls


@contextmanager
def _recording(subject: Subject) -> Iterator[list[DenseCall]]:
    """Record the attention calls of layers (of the encoder), except those that the model limits to a sliding window."""
    narrowed = sliding_layers(subject.model)
    owners = {
        id(module): depth
        for depth, layer in enumerate(layers(subject.model))
        for module in layer.modules()
        if not narrowed[depth]
    }
    calls: list[DenseCall] = []
    find = AttentionInterface.get_interface

    def found(interface: Any, name: str, default: Callable[..., Any]) -> Callable[..., Any]:
        attend = find(interface, name, default)

        def recorded(module: Any, query: Any, key: Any, value: Any, mask: Any, *args: Any, **kwargs: Any) -> Any:
            output = attend(module, query, key, value, mask, *args, **kwargs)
            changed = any(kwargs.get(option) is not None for option in ("softcap", "s_aux"))
            if id(module) in owners and not changed:
                scaling = kwargs.get("scaling")
                scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
                bias = _bias(kwargs.get("position_bias"), query, key)
                calls.append(
                    DenseCall(
                        owners[id(module)],
                        subject.whole(query, 2),
                        key=subject.whole(key, 2),
                        value=subject.whole(value, 2),
                        scaling=scaling,
                        bias=bias,
                        output=subject.whole(output[0]),
                    )
                )
            return output

        return recorded

    AttentionInterface.get_interface = found  # type: ignore[method-assign, assignment]
    try:
        yield calls
    finally:
        AttentionInterface.get_interface = find  # type: ignore[method-assign]


def _bias(given: Any, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor | None:
    """Return T5's bias over all pairs, by the model's own function where our pattern looks it up by distance."""
    if given is None or isinstance(given, torch.Tensor):
        return given
    dense: torch.Tensor = type(given.module).compute_bias(
        given.module, query.shape[2], key.shape[2], device=query.device
    )
    return dense


def _deviation(subject: Subject, inputs: Mapping[str, torch.Tensor], call: DenseCall, row: int, length: int) -> float:
    """Return the largest difference for some queries of one window, relative to the RMS of their outputs.

    Args:
        subject: What is verified.
        inputs: Inputs of the model in this pass.
        call: The attention call.
        row: Row of the window in the pass.
        length: Tokens of the window, memory tokens included.
    """
    sample = torch.tensor(places(subject, length, NUM_QUERIES), device=call.query.device)
    seen = _seen(subject, inputs, call=call, row=row, sample=sample, length=length)
    groups = call.query.shape[1] // call.key.shape[1]
    key, value = (part[row].double().repeat_interleave(groups, 0) for part in (call.key, call.value))
    scores = call.query[row].double()[:, sample] @ key.transpose(1, 2) * call.scaling
    if call.bias is not None:
        scores = scores + call.bias[row % len(call.bias)].double()[:, sample]
    scores = scores * subject.strategy.attention.sharpening(seen.sum(-1, keepdim=True))
    weights = scores.masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num(nan=0.0)
    expected = (weights @ value).transpose(0, 1)  # (S, H, D)
    return largest(call.output[row].double()[sample] - expected) / rms(expected)


def _seen(
    subject: Subject, inputs: Mapping[str, torch.Tensor], call: DenseCall, row: int, sample: torch.Tensor, length: int
) -> torch.Tensor:
    """Return (H, S, K) bool: declared pairs that the model does not mask; a query without keys attends to itself.

    Args:
        subject: What is verified.
        inputs: Inputs of the model in this pass.
        call: The attention call.
        row: Row of the window in the pass.
        sample: (S,) indices of the queries.
        length: Tokens of the window, memory tokens included.
    """
    attention, num_heads = subject.strategy.attention, call.query.shape[1]
    num_keys = call.key.shape[2]
    offset = num_keys - call.query.shape[2]
    query, key = sample[:, None] + offset, torch.arange(num_keys, device=sample.device)[None]
    hidden = key > query if subject.is_causal else torch.zeros((), dtype=torch.bool, device=sample.device)
    real = inputs["attention_mask"][row].bool()[None, :num_keys]
    patterns = [attention.pattern_of_head(inputs, row, head, num_heads) for head in range(num_heads)]
    by_head = [pattern(query, key, length + offset) for pattern in patterns]
    off = torch.stack([~own.any() for own in by_head])[:, None, None]
    seen = torch.stack([own.expand(len(sample), -1) for own in by_head]) & real & ~hidden
    alone = ~seen.any(-1, keepdim=True) & ~off
    return seen | (alone & (query == key))
