"""Neighbours, and every token that is a multiple of the stride away."""

import math
from collections.abc import Sequence

import torch

from ctxlab.strategies.attention.kernels.blocks import Layout
from ctxlab.strategies.attention.kernels.factorised import Factorised, Heads
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.order import by_remainder
from ctxlab.strategies.attention.kernels.plan import Plan, Ready, ReadyPlans, sliding
from ctxlab.strategies.attention.kernels.sparse import at_least
from ctxlab.strategies.attention.kernels.union import attend_to_union, make_ready


class Strided(Factorised):
    """The strided pattern of the Sparse Transformer.

    One half of the heads slides over the neighbours; the other half attends to the tokens that share its remainder by
    ``stride``, which become neighbours when the tokens are sorted. A stride near the square root of the length is
    cheapest. For data with a period, such as images; on text the authors prefer ``fixed``.

    Source: Child et al. 2019 (arXiv:1904.10509), where queries only look back: a causal model gets just that. In a
    bidirectional model both patterns are mirrored: |query − key| ≤ window, and query ≡ key modulo ``stride``. The
    paper's window is its stride. Merged, both patterns share one softmax in every head, at the price of plain
    (materialised, still not L × L) scores.
    """

    def __init__(self, window: int = 128, stride: int = 128, heads: Heads = "split") -> None:
        """Take the tokens on each side, the stride, and whether heads are split between the patterns or merged."""
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(1, "tokens from one that is seen to the next", stride=stride)
        super().__init__(heads, window=window, stride=stride)
        self.window, self.stride = window, stride

    def near(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Neighbours."""
        return (query - key).abs() <= self.window

    def far(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """The same remainder."""
        return query % self.stride == key % self.stride

    def pairs(self, length: int) -> int:
        """Merged heads compute both patterns."""
        plans = self.plans(length, [length])
        return sum(plan.pairs(length) for plan in plans) // (len(plans) if self.heads == "split" else 1)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Sliding blocks, and one block for each remainder; all pairs where merged blocks would not be fewer."""
        del lengths
        around = sliding(self.window)
        across = Layout(math.ceil(length / self.stride), 0, 0, 0)
        order = by_remainder(length, self.stride, even=True)
        if self.heads == "split":
            return (
                Plan(lambda query, key, _: self.near(query, key), around),
                Plan(lambda query, key, _: self.far(query, key), across, order),
            )
        if length <= around.keys + across.keys:
            return (Plan(self.allowed, Layout(length, 0, 0, 0)),)
        return (
            Plan(lambda query, key, _: self.near(query, key), around),
            Plan(lambda query, key, _: self.far(query, key) & ~self.near(query, key), across, order),
        )

    def _ready(self, library: LibraryMask) -> ReadyPlans:
        """Merged blocks are made ready together; queries that read a cache see one mask over all keys."""
        if self.heads == "split":
            return super()._ready(library)
        end = library.num_keys + library.key_offset
        plans = self.plans(end, [end])
        if len(plans) == 1 or library.num_queries != library.num_keys:
            return ReadyPlans((Plan(self.allowed, Layout(end, 0, 0, 0)).ready(library),))
        return ReadyPlans(make_ready(plans, library))

    def _compute(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        plans: tuple[Ready, ...],
        dropout: float,
        scaling: float | None,
    ) -> torch.Tensor:
        """Merged blocks meet in one softmax."""
        if self.heads == "merged" and len(plans) > 1:
            return attend_to_union(query, key, value, plans, dropout=dropout, scaling=scaling)
        return super()._compute(query, key, value, plans, dropout, scaling)
