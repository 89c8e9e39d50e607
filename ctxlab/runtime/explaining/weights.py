"""Attention weights of a window under any installed pattern, computed densely from the mask that it declares.

Shape legend: H query heads, W tokens of a window, D head width.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface

from ctxlab.core.architecture import is_causal, layers, sliding_layers
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Strategy

TOLERANCE = 1e-3
"""Largest difference of outputs from those of the computed weights, relative to their root mean square."""


def check_known(model: Any, strategy: Strategy) -> None:
    """Check that all that mixes tokens is attention whose weights follow from queries, keys and a declared mask.

    Raises:
        UserError: Names the part that is not.
    """
    attention, memory, reading = strategy.attention, strategy.memory, strategy.reading
    why = ""
    if memory.sequential:
        why = f"does not follow what strategy/memory={option(memory)} carries between windows"
    elif reading.joins:
        why = f"does not follow what strategy/reading={option(reading)} passes between windows"
    elif attention.reweights:
        why = f"needs attention weights, and strategy/attention={option(attention)} scales them by what it has learned"
    elif not attention.exact:
        why = f"needs attention weights, and strategy/attention={option(attention)} chooses pairs by hidden states"
    elif any(sliding_layers(model)):
        why = "needs the declared pattern in all layers, and this model narrows some of them"
    if why:
        raise UserError(f"explanation=rollout {why}: use explanation=gradient or explanation=occlusion.")


@contextmanager
def recorded(model: Any, strategy: Strategy, inputs: Mapping[str, torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Within the block, attention calls of a pass over one window add their weights (W, W), mean over heads.

    Args:
        model: The model.
        strategy: Its attention declares which pairs attend.
        inputs: Inputs of the pass, of a single row.

    Raises:
        UserError: A layer computes something else than attention with these weights.
    """
    owners = {id(module): depth for depth, layer in enumerate(layers(model)) for module in layer.modules()}
    found: list[torch.Tensor] = []
    causal, interface = is_causal(model), AttentionInterface.get_interface

    def get(self: Any, name: str, default: Callable[..., Any]) -> Callable[..., Any]:
        attend = interface(self, name, default)

        def attended(module: Any, query: Any, key: Any, value: Any, mask: Any, *args: Any, **kwargs: Any) -> Any:
            output = attend(module, query, key, value, mask, *args, **kwargs)
            if id(module) in owners:
                seen = _seen(strategy, inputs, num_heads=query.shape[1], length=query.shape[2], causal=causal).to(
                    query.device
                )
                factor = strategy.attention.sharpening(seen.sum(-1, keepdim=True))
                weights = _weights(query[0] * factor, key, kwargs.get("scaling"), seen)
                _check(weights, value, output[0])
                found.append(weights.mean(0))
            return output

        return attended

    AttentionInterface.get_interface = get  # type: ignore[method-assign, assignment]
    try:
        yield found
    finally:
        AttentionInterface.get_interface = interface  # type: ignore[method-assign]


def _seen(
    strategy: Strategy, inputs: Mapping[str, torch.Tensor], num_heads: int, length: int, *, causal: bool
) -> torch.Tensor:
    """Return (H, W, W) bool: declared pairs; a query without any attends to itself, as in the kernels."""
    place = torch.arange(length)
    order = place[None] <= place[:, None] if causal else torch.ones(length, length, dtype=torch.bool)
    if strategy.attention.trains_only:
        return order.expand(num_heads, -1, -1)
    heads = [
        strategy.attention.pattern_of_head(inputs, 0, head, num_heads)(place[:, None], place[None], length)
        for head in range(num_heads)
    ]
    seen = torch.stack([own.expand(length, length) for own in heads]) & order
    alone = ~seen.any(-1, keepdim=True) & seen.flatten(1).any(1)[:, None, None]
    return seen | (alone & torch.eye(length, dtype=torch.bool))


def _weights(query: torch.Tensor, key: torch.Tensor, scaling: float | None, seen: torch.Tensor) -> torch.Tensor:
    """Return (H, W, W) softmax of scores over the pairs that are seen; a head that is off has weights of 0.

    Args:
        query: (H, W, D)
        key: (1, K, W, D)
        scaling: Factor of the scores; None for D ** -0.5.
        seen: (H, W, W) bool.
    """
    groups = query.shape[0] // key.shape[1]
    scores = query.float() @ key[0].float().repeat_interleave(groups, 0).transpose(1, 2)
    scores = scores * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    return scores.masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num(nan=0.0)


def _check(weights: torch.Tensor, value: torch.Tensor, output: torch.Tensor) -> None:
    groups = weights.shape[0] // value.shape[1]
    expected = (weights @ value[0].float().repeat_interleave(groups, 0)).transpose(0, 1)
    size = expected.square().mean().sqrt().clamp(min=1e-12)
    if float((output[0].float() - expected).abs().max() / size) > TOLERANCE:
        raise UserError(
            "explanation=rollout: this model adds more to its attention than scores and the declared mask: use "
            "explanation=gradient or explanation=occlusion."
        )
