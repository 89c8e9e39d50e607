"""Keys and values of the tokens before the window, which every layer attends to as if they were in it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Forward, ModelKind
from ctxlab.core.types import BoolArray
from ctxlab.strategies.memory.caches.base import BaseMemory
from ctxlab.strategies.memory.caches.cache import Cached, keep, prove, read


class SegmentCache(BaseMemory):
    """Each layer sees one cache further back than the layer below; no gradient flows into what is cached.

    Source: Transformer-XL (Dai et al. 2019, arXiv:1901.02860). Deviations: rotary positions stand in for its relative
    encoding: scores depend on differences only, so positions run on from window to window, and a window and its cache
    must fit what the model was trained for, not the document. Special tokens that stand in every window are cached
    like any others. Outputs equal those of full attention over the windows end to end until something is dropped.
    """

    supports: frozenset[ModelKind] = frozenset({"decoder"})
    positions = frozenset({"rotary"})

    def __init__(self, tokens: int | None = None) -> None:
        """Take the ``tokens`` that stay in the cache; None keeps as many as a window has."""
        if tokens is not None and tokens < 1:
            raise UserError(
                f"strategy.memory.tokens={tokens} caches nothing: give at least 1, or null for as many as a window has."
            )
        self.num_cached = tokens
        self._window = 1

    def fit(self, window: int) -> None:
        """How many windows the cache spans."""
        self._window = window

    def install(self, model: Any) -> None:
        """Nothing to put into the model; see that it takes a cache."""
        prove(model, "segment_cache")
        self.declare(model, name="segment_cache", tokens=self.num_cached)

    def start(self, batch_size: int) -> None:
        """Nothing is cached."""
        del batch_size

    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Cached | None) -> tuple[torch.Tensor, Cached]:
        """The window after the cached tokens."""
        outputs, whole = read(forward, inputs, state, state.seen if state is not None else 0)
        return outputs, keep(whole, 0, self.num_cached or inputs["input_ids"].shape[1])

    def first(self, state: Cached | None, num_rows: int) -> Cached | None:
        """The cache of the first documents."""
        return state.first(num_rows) if state is not None else None

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """(N, N): as many windows back as the cache spans, once more with every layer."""
        window = np.arange(num_windows)
        back = window[:, None] - window
        spanned = -(-(self.num_cached or self._window) // self._window)
        return (back >= 0) & (back <= num_layers * spanned)
