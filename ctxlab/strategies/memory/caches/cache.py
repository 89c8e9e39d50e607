"""Keys and values of earlier windows, passed to the model as the library's own cache.

Shape legend: B windows of a pass, W tokens of the longest one, K tokens in the cache, H key heads, D head width,
C outputs per token.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from ctxlab.core.architecture import INCOMPATIBLE, SAMPLE_TOKENS, num_layers, rotary_types
from ctxlab.core.errors import UserError
from ctxlab.core.quiet import evaluating, quiet
from ctxlab.core.strategy import Forward
from ctxlab.strategies.memory.caches.compatibility import incompatible, sample_inputs

Layer = tuple[torch.Tensor, torch.Tensor]
"""Keys and values (B, H, K, D)."""

CHANGING = ("dynamic", "longrope")
"""Types of rotary positions whose angles depend on the length: cached keys would keep outdated angles."""


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """A KV cache: what each layer may attend to in addition to its own window."""

    layers: tuple[Layer, ...]
    """One entry per layer of the model."""
    mask: torch.Tensor
    """(B, K) bool: True for tokens, False for padding."""
    seen: torch.Tensor
    """(B,) tokens read so far, including those dropped from the cache."""

    def __len__(self) -> int:
        """Return the number of cached tokens, padding included (K)."""
        return self.mask.shape[1]

    def first(self, num_rows: int) -> "Cached":
        """Return the cache of the first ``num_rows`` documents."""
        layers = tuple((keys[:num_rows], values[:num_rows]) for keys, values in self.layers)
        return Cached(layers, self.mask[:num_rows], self.seen[:num_rows])


def forward_cached(
    forward: Forward, inputs: Mapping[str, Any], cached: Cached | None, start: torch.Tensor | int
) -> tuple[torch.Tensor, Cached]:
    """Run one window per document after the cached tokens.

    Args:
        forward: The model.
        inputs: Inputs of the window, (B, W) each.
        cached: Cache of the tokens before the window; None for the first window.
        start: (B,) position of the window's first token.

    Returns:
        Outputs (B, W, C), and the cache extended by the window, detached from the gradient.
    """
    mask = inputs["attention_mask"].bool()
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(cached.layers if cached is not None else ()):
        cache.update(keys, values, layer)
    places = torch.as_tensor(start, device=mask.device).view(-1, 1) + torch.arange(mask.shape[1], device=mask.device)
    whole = torch.cat([cached.mask, mask], dim=1) if cached is not None else mask  # (B, K + W)
    added = {"attention_mask": whole.to(inputs["attention_mask"].dtype), "position_ids": places.expand(len(mask), -1)}
    outputs = forward({**inputs, **added, "past_key_values": cache, "use_cache": True}).logits
    seen = mask.sum(1) + (cached.seen if cached is not None else 0)
    layers = tuple((keys.detach(), values.detach()) for keys, values, _ in cache)
    return outputs, Cached(layers, whole, seen)


def keep_ends(cached: Cached, first: int, last: int, layers: Iterable[Layer] | None = None) -> Cached:
    """Return a cache of the ``first`` and the ``last`` tokens of every document, without padding between them.

    Args:
        cached: The cache to shorten.
        first: Tokens kept at the beginning of each document.
        last: Tokens kept at its end.
        layers: Keys and values to use instead of the cached ones; an iterator, so that one layer is in memory at once.
    """
    rank = cached.mask.cumsum(1) - 1  # (B, K) index among the tokens, without padding
    wanted = cached.mask & ((rank < first) | (rank >= cached.mask.sum(1, keepdim=True) - last))
    widest = int(wanted.sum(1).max())
    order = (~wanted).int().argsort(dim=1, stable=True)[:, :widest]  # (B, widest) kept tokens first
    source = cached.layers if layers is None else layers
    kept = tuple((_select(keys, order), _select(values, order)) for keys, values in source)
    return Cached(kept, wanted.gather(1, order), cached.seen)


def _select(states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return keys or values (B, H, K, D) at token indices ``order`` (B, N), as (B, H, N, D)."""
    index = order[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3])
    return states.gather(2, index)


def check_cache(model: Any, name: str) -> None:
    """Check that the model works with a KV cache: after two windows, every layer must have cached both.

    Raises:
        UserError: The model does not use the cache, or its rotary angles change with the length.
    """
    for kind in rotary_types(model.config):
        if kind in CHANGING:
            raise UserError(
                f"strategy/memory={name} caches keys, but rotary positions of type {kind} rotate them by angles that "
                "change with the length: use strategy/positions=yarn, linear or keep."
            )
    try:
        cached = cache_sample(model, SAMPLE_TOKENS, cache_sample(model))
    except INCOMPATIBLE as error:
        raise incompatible(model, name, error) from error
    lengths, wanted = [keys.shape[2] for keys, _ in cached.layers], num_layers(model)
    if lengths != [2 * SAMPLE_TOKENS] * wanted:
        raise incompatible(model, name, f"of its {wanted} layers, {len(lengths)} cached the keys of {lengths} tokens")


def cache_sample(model: Any, start: int = 0, cached: Cached | None = None) -> Cached:
    """Return the cache after a few tokens at position ``start``, which follow what is ``cached``."""
    with quiet(), evaluating(model):
        return forward_cached(lambda given: model(**given), sample_inputs(model), cached, start)[1]
