"""Keys and values of windows that were read before, through the library's own cache.

Shape legend: B windows of a pass, W tokens of the longest one, K tokens in the cache, H key heads, D head width,
C outputs per token.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from ctxlab.core.architecture import num_layers
from ctxlab.core.errors import UserError
from ctxlab.core.quiet import evaluating, quiet
from ctxlab.core.strategy import Forward
from ctxlab.strategies.memory.caches.trial import PROBE_TOKENS, REFUSALS, probe_inputs, refusal

Layer = tuple[torch.Tensor, torch.Tensor]
"""Keys and values (B, H, K, D)."""

CHANGING = ("dynamic", "longrope")
"""Types of rotary positions whose angles change with the length: keys in a cache would keep the old ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """What a layer may attend to beside its own window."""

    layers: tuple[Layer, ...]
    """Of the whole model."""
    mask: torch.Tensor
    """(B, K) bool: real tokens, not padding."""
    seen: torch.Tensor
    """(B,) tokens that were read so far, those that were dropped included."""

    def __len__(self) -> int:
        """K"""
        return self.mask.shape[1]

    def first(self, num_rows: int) -> "Cached":
        """The first ``num_rows`` documents."""
        layers = tuple((keys[:num_rows], values[:num_rows]) for keys, values in self.layers)
        return Cached(layers, self.mask[:num_rows], self.seen[:num_rows])


def read(
    forward: Forward, inputs: Mapping[str, Any], cached: Cached | None, start: torch.Tensor | int
) -> tuple[torch.Tensor, Cached]:
    """One window per document after what is cached.

    Args:
        forward: The model.
        inputs: Those of the window, (B, W).
        cached: What stands before the window; None before the first one.
        start: (B,) position of the window's first token.

    Returns:
        Outputs (B, W, C), and the cache with the window behind it, cut off from the gradient.
    """
    mask = inputs["attention_mask"].bool()
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(cached.layers if cached is not None else ()):
        cache.update(keys, values, layer)
    places = torch.as_tensor(start, device=mask.device).view(-1, 1) + torch.arange(mask.shape[1], device=mask.device)
    whole = torch.cat([cached.mask, mask], dim=1) if cached is not None else mask
    given = {"attention_mask": whole.to(inputs["attention_mask"].dtype), "position_ids": places.expand(len(mask), -1)}
    outputs = forward({**inputs, **given, "past_key_values": cache, "use_cache": True}).logits
    seen = mask.sum(1) + (cached.seen if cached is not None else 0)
    layers = tuple((keys.detach(), values.detach()) for keys, values, _ in cache)
    return outputs, Cached(layers, whole, seen)


def keep(cached: Cached, first: int, last: int, layers: Iterable[Layer] | None = None) -> Cached:
    """The ``first`` and the ``last`` tokens of every document, without padding between them.

    ``layers`` stand in for the cached ones and are taken one by one: what an iterator makes is held for one layer.
    """
    rank = cached.mask.cumsum(1) - 1
    wanted = cached.mask & ((rank < first) | (rank >= cached.mask.sum(1, keepdim=True) - last))
    widest = int(wanted.sum(1).max())
    order = (~wanted).int().argsort(dim=1, stable=True)[:, :widest]
    whole = cached.layers if layers is None else layers
    kept = tuple((_taken(keys, order), _taken(values, order)) for keys, values in whole)
    return Cached(kept, wanted.gather(1, order), cached.seen)


def _taken(states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    index = order[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3])
    return states.gather(2, index)


def prove(model: Any, name: str) -> None:
    """Read a few tokens in two windows and see that every layer kept the first for the second.

    Raises:
        UserError: The model takes no cache of keys, or its rotary angles change with the length.
    """
    for kind in _rotary_types(model.config.get_text_config()):
        if kind in CHANGING:
            raise UserError(
                f"strategy/memory={name} keeps keys, and rotary positions of type {kind} turn them by angles that "
                "change with the length: use strategy/positions=yarn, linear or keep."
            )
    try:
        cached = probe(model, PROBE_TOKENS, probe(model))
    except REFUSALS as error:
        raise refusal(model, name, error) from error
    lengths, wanted = [keys.shape[2] for keys, _ in cached.layers], num_layers(model)
    if lengths != [2 * PROBE_TOKENS] * wanted:
        raise refusal(model, name, f"of its {wanted} layers, {len(lengths)} kept the keys of {lengths} tokens")


def probe(model: Any, start: int = 0, cached: Cached | None = None) -> Cached:
    """Keys and values of a few tokens that stand at ``start``, behind what is cached."""
    with quiet(), evaluating(model):
        return read(lambda given: model(**given), probe_inputs(model), cached, start)[1]


def _rotary_types(config: Any) -> Iterator[str]:
    parameters = getattr(config, "rope_parameters", None) or {}
    for layer in (parameters, *parameters.values()):
        if isinstance(layer, Mapping) and "rope_type" in layer:
            yield layer["rope_type"]
