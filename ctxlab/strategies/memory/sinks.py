"""A KV cache of the first and the latest tokens of a document: any length at constant memory.

Shape legend: as in ``cache``.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import INCOMPATIBLE, SAMPLE_TOKENS
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Forward, ModelKind
from ctxlab.core.types import BoolArray
from ctxlab.strategies.memory.caches.base import BaseMemory
from ctxlab.strategies.memory.caches.cache import Cached, Layer, cache_sample, check_cache, forward_cached, keep_ends
from ctxlab.strategies.memory.caches.compatibility import incompatible

Rotate = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Rotates keys (B, H, K, D) by (B or 1, K) positions; returns the same shape."""


class Sinks(BaseMemory):
    """Caches the first and the latest tokens; their positions are those in the cache, not those in the document.

    Source: StreamingLLM (Xiao et al. 2023, arXiv:2309.17453). Deviations: a step is a window of the reading instead of
    one token, so a query sees the sinks, ``window`` tokens before its own window, and the earlier tokens of that
    window; keys are stored at position 0 and rotated to their cache position once per step. No gradient flows into the
    cache. Outputs equal those of full attention over the concatenated windows until tokens are dropped.
    """

    supports: frozenset[ModelKind] = frozenset({"decoder"})
    positions = frozenset({"rotary"})

    def __init__(self, num_sinks: int = 4, window: int = 508) -> None:
        """Take how many first tokens of a document (``num_sinks``) and latest tokens (``window``) are cached."""
        if num_sinks < 0:
            raise UserError(f"strategy.memory.num_sinks={num_sinks} must be 0 or more tokens; the paper uses 4.")
        if window < 1:
            raise UserError(f"strategy.memory.window={window} must be at least 1 cached token.")
        self.num_sinks, self.window = num_sinks, window
        self.num_cached = num_sinks + window
        self._window_read = 1
        self._rotate: Rotate = _not_installed

    def fit(self, window: int) -> None:
        """Set the tokens of a window, from which ``reach`` computes how many windows the cache spans."""
        self._window_read = window

    def install(self, model: Any) -> None:
        """Check that the model works with a KV cache and that its keys can be rotated; nothing is added to it."""
        check_cache(model, "sinks")
        self._rotate = _find_rotation(model)
        self.declare(model, name="sinks", num_sinks=self.num_sinks, window=self.window)

    def start(self, batch_size: int) -> None:
        """Return an empty cache."""
        del batch_size

    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Cached | None) -> tuple[torch.Tensor, Cached]:
        """Run the window after the cached tokens, whose positions start at 0."""
        mask = inputs["attention_mask"]
        begin = state.mask.sum(1) if state is not None else torch.zeros(len(mask), dtype=torch.long, device=mask.device)
        outputs, cached = forward_cached(forward, inputs, self._rotated(state), begin)
        place = begin[:, None] + torch.arange(mask.shape[1], device=mask.device)  # (B, W)
        return outputs, keep_ends(cached, self.num_sinks, self.window, self._at_zero(state, cached, place))

    def first(self, state: Cached | None, num_rows: int) -> Cached | None:
        """Return the cache of the first documents."""
        return state.first(num_rows) if state is not None else None

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """Declare (N, N): the windows of the sinks, and as many windows back as the cache spans, times the layers."""
        window = np.arange(num_windows)
        back = window[:, None] - window
        latest = back <= num_layers * -(-self.window // self._window_read)
        return (back >= 0) & (latest | (window * self._window_read < self.num_sinks))

    def _rotated(self, state: Cached | None) -> Cached | None:
        """Return the cache with its keys rotated from position 0 to their positions in the cache."""
        if state is None:
            return None
        place = torch.arange(len(state), device=state.mask.device)[None]
        return replace(state, layers=tuple((self._rotate(keys, place), values) for keys, values in state.layers))

    def _at_zero(self, state: Cached | None, cached: Cached, place: torch.Tensor) -> Iterator[Layer]:
        """Yield each layer after a window at positions ``place`` (B, W), with all keys rotated to position 0."""
        for i, (keys, values) in enumerate(cached.layers):
            new = self._rotate(keys[:, :, -place.shape[1] :], -place)  # (B, H, W, D)
            yield (new if state is None else torch.cat([state.layers[i][0], new], dim=2)), values


def _not_installed(keys: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("install the memory first: it uses the model's own rotation of keys")


def _find_rotation(model: Any) -> Rotate:
    """Return the model's own rotary function, checked on keys that the model rotated itself.

    Raises:
        UserError: The keys of a layer are rotated in another way.
    """
    try:
        rotate, moved = _rotation(model), torch.full((1, SAMPLE_TOKENS), SAMPLE_TOKENS, device=model.device)
        pairs = zip(cache_sample(model).layers, cache_sample(model, SAMPLE_TOKENS).layers, strict=True)
        errors = [float((rotate(near, moved) - far).abs().max() / far.abs().max()) for (near, _), (far, _) in pairs]
    except (*INCOMPATIBLE, StopIteration) as error:
        raise incompatible(model, "sinks", f"its rotation of keys cannot be found: {error}") from error
    if max(errors) > 1e-3:
        raise incompatible(model, "sinks", "its layers do not all rotate keys in the same way")
    return rotate


def _rotation(model: Any) -> Rotate:
    """Return a function from ``apply_rotary_pos_emb`` of the model's module and the angles of its rotary module.

    The rotary module multiplies cosines and sines by ``attention_scaling`` (YaRN). Cached keys are scaled already, so
    that the factor is divided out.
    """
    apply = sys.modules[type(model.base_model).__module__].apply_rotary_pos_emb
    rotary = next(module for module in model.modules() if hasattr(module, "inv_freq"))

    def rotate(keys: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        wide = keys.float()  # (B, H, K, D)
        cos, sin = (part / rotary.attention_scaling for part in rotary(wide, places))  # (B or 1, K, width) each
        width = cos.shape[-1]  # some models rotate only the first channels of a head
        rotated = apply(wide[..., :width], wide[..., :width], cos, sin)[1]
        return torch.cat([rotated, wide[..., width:]], dim=-1).to(keys.dtype)

    return rotate
