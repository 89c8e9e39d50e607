"""Attention to neighbours, and to every token at a multiple of the stride."""

import math
from collections.abc import Sequence

import torch

from ctxlab.strategies.attention.kernels.exported import Exportable, columns, spans
from ctxlab.strategies.attention.kernels.factorised import Factorised, Heads
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.order import by_remainder
from ctxlab.strategies.attention.kernels.plan import Plan, PreparedPlan, PreparedPlans, sliding
from ctxlab.strategies.attention.kernels.spans import Layout
from ctxlab.strategies.attention.kernels.sparse import at_least
from ctxlab.strategies.attention.kernels.union import attend_to_union, prepare_union

MERGED = "with heads=merged two patterns in different orders share a softmax (heads=split can be exported)"


class Strided(Factorised):
    """Implements the strided pattern of the Sparse Transformer.

    One half of the heads attends to a sliding window; the other half attends to tokens with the same remainder modulo
    ``stride``, which are neighbours once tokens are sorted by it. A stride near the square root of the length is
    cheapest. It suits data with a period, such as images; for text the authors prefer ``fixed``.

    Source: Child et al. 2019 (arXiv:1904.10509), a causal pattern, which a causal model follows exactly. In a
    bidirectional model both patterns are mirrored: |query − key| ≤ window, and query ≡ key modulo ``stride``. The
    paper's window is its stride. Merged, both patterns share one softmax in every head, for which scores are
    materialised (but not L × L).
    """

    caches = True
    unexportable: str | None = None

    def __init__(self, window: int = 128, stride: int = 128, heads: Heads = "split") -> None:
        """Take the tokens on each side, the stride, and whether heads are split between the patterns or merged."""
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(1, "the step between tokens that the second pattern attends to", stride=stride)
        super().__init__(heads, window=window, stride=stride)
        self.window, self.stride = window, stride
        if heads == "merged":
            self.unexportable = MERGED

    def near(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare neighbours."""
        return (query - key).abs() <= self.window

    def far(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare tokens with the same remainder modulo the stride."""
        return query % self.stride == key % self.stride

    def pairs(self, length: int) -> int:
        """Return the pairs of one head on average; merged heads compute both patterns."""
        plans = self.plans(length, [length])
        return sum(plan.pairs(length) for plan in plans) // (len(plans) if self.heads == "split" else 1)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return a sliding window, and one block per remainder; all pairs where merged blocks would not be cheaper."""
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

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return a sliding window, and the tokens of each remainder among themselves."""
        near = Exportable(spans(length, sliding(self.window)), self.near)
        return near, Exportable(columns(length, self.stride), self.far)

    def _prepare(self, library: LibraryMask) -> PreparedPlans:
        """Prepare merged plans together; queries that use a KV cache get one mask over all keys."""
        if self.heads == "split":
            return super()._prepare(library)
        end = library.num_keys + library.key_offset
        plans = self.plans(end, [end])
        if len(plans) == 1 or library.num_queries != library.num_keys:
            return PreparedPlans((Plan(self.allowed, Layout(end, 0, 0, 0)).prepare(library),))
        return PreparedPlans(prepare_union(plans, library))

    def _compute(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        plans: tuple[PreparedPlan, ...],
        dropout: float,
        scaling: float | None,
    ) -> torch.Tensor:
        """Compute merged plans with one shared softmax."""
        if self.heads == "merged" and plans[0].prefix is not None:
            raise NotImplementedError("strategy.attention.heads=merged, with two patterns in one softmax")
        if self.heads == "merged" and len(plans) > 1:
            return attend_to_union(query, key, value, plans, dropout=dropout, scaling=scaling)
        return super()._compute(query, key, value, plans=plans, dropout=dropout, scaling=scaling)
