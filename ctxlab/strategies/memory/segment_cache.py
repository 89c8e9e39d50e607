"""A KV cache of the tokens before the window, which every layer attends to as if they were part of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Forward, ModelKind
from ctxlab.core.types import BoolArray
from ctxlab.strategies.memory.caches.base import BaseMemory
from ctxlab.strategies.memory.caches.cache import Cached, check_cache, forward_cached, keep_ends


class SegmentCache(BaseMemory):
    """Caches keys and values of earlier windows; each layer sees one cache length further back than the one below.

    No gradient flows into the cache.

    Source: Transformer-XL (Dai et al. 2019, arXiv:1901.02860). Deviations: rotary positions replace its relative
    encoding: scores depend on differences only, so positions continue from window to window, and only a window and its
    cache must fit the trained length, not the document. Special tokens of every window are cached like any others.
    Outputs equal those of full attention over the concatenated windows until tokens are dropped from the cache.
    """

    supports: frozenset[ModelKind] = frozenset({"decoder"})
    positions = frozenset({"rotary"})

    def __init__(self, tokens: int | None = None) -> None:
        """Take the number of ``tokens`` in the cache; None for as many as a window has."""
        if tokens is not None and tokens < 1:
            raise UserError(
                f"strategy.memory.tokens={tokens} must be at least 1 token, or null for as many as a window has."
            )
        self.num_cached = tokens
        self._window = 1

    def fit(self, window: int) -> None:
        """Set the tokens of a window, from which ``reach`` computes how many windows the cache spans."""
        self._window = window

    def install(self, model: Any) -> None:
        """Check that the model works with a KV cache; nothing is added to it."""
        check_cache(model, "segment_cache")
        self.declare(model, name="segment_cache", tokens=self.num_cached)

    def start(self, batch_size: int) -> None:
        """Return an empty cache."""
        del batch_size

    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Cached | None) -> tuple[torch.Tensor, Cached]:
        """Run the window after the cached tokens."""
        outputs, cached = forward_cached(forward, inputs, state, state.seen if state is not None else 0)
        return outputs, keep_ends(cached, 0, self.num_cached or inputs["input_ids"].shape[1])

    def first(self, state: Cached | None, num_rows: int) -> Cached | None:
        """Return the cache of the first documents."""
        return state.first(num_rows) if state is not None else None

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """Declare (N, N): as many windows back as the cache spans, times the number of layers."""
        window = np.arange(num_windows)
        back = window[:, None] - window
        spanned = -(-(self.num_cached or self._window) // self._window)
        return (back >= 0) & (back <= num_layers * spanned)
