"""Sliding-window attention with a few global tokens."""

from collections.abc import Sequence

import torch

from ctxlab.strategies.attention.kernels.exported import Exportable, spans
from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least


class Local(Sparse):
    """Combines a sliding window and global tokens.

    Source: Longformer (Beltagy et al. 2020, arXiv:2004.05150). Deviations: global tokens use the projections that the
    model was trained with (no second set); the global tokens are the first of every window; ``window`` counts the
    tokens on each side, so Longformer's ``attention_window`` is twice this number.
    """

    caches = True
    unexportable = None

    def __init__(self, window: int = 128, num_global: int = 1) -> None:
        """Take ``window`` tokens on each side, and the first ``num_global`` tokens of a window as global ones."""
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        super().__init__(window=window, num_global=num_global)
        self.window, self.num_global = window, num_global
        self.layout = sliding(window, num_global)
        self.least_part = max(window, num_global)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare neighbours, and all pairs with a global token."""
        del length
        return ((query - key).abs() <= self.window) | (query < self.num_global) | (key < self.num_global)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one plan: a span around each block, with the global keys before it."""
        del length, lengths
        return (Plan(self.allowed, self.layout),)

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return the same blocks, with indices."""
        return (Exportable(spans(length, self.layout), lambda q, k: self.allowed(q, k, length), self.num_global),)
