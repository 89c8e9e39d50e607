"""Plans of how a kernel computes a pattern: blocks, order of tokens, extra keys, and heads.

Shape legend: B windows, H query heads, K key heads, L tokens, D head width, E extra keys of a block.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ctxlab.core.parts import Part
from ctxlab.core.prefix import Prefix
from ctxlab.core.strategy import Pattern
from ctxlab.strategies.attention.kernels import masks
from ctxlab.strategies.attention.kernels.bias import Bias
from ctxlab.strategies.attention.kernels.blocks import BlockMask, blocked_sdpa, dense_sdpa
from ctxlab.strategies.attention.kernels.masks import DenseMask, LibraryMask
from ctxlab.strategies.attention.kernels.order import Order
from ctxlab.strategies.attention.kernels.spans import Layout
from ctxlab.strategies.attention.kernels.split import split_sdpa

SMALLEST_BLOCK, LARGEST_BLOCK = 32, 256
"""Measured on a CPU: smaller blocks copy too many keys, larger ones compute too many pairs."""


def sliding(window: int, num_global: int = 0, *, block: int | None = None, num_extra: int = 0) -> Layout:
    """Return a layout of blocks about as long as ``window``, with ``window`` keys on either side.

    Args:
        window: Keys on either side of a block, in tokens.
        num_global: Global tokens, the first of a window.
        block: Queries of a block; None chooses a size near ``window``.
        num_extra: Extra keys of each block.
    """
    if block is None:
        block = min(max(math.ceil(window / SMALLEST_BLOCK) * SMALLEST_BLOCK, SMALLEST_BLOCK), LARGEST_BLOCK)
    return Layout(block, window, right=window, num_global=num_global, num_extra=num_extra)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The pairs that one kernel computes; those that ``allowed`` excludes are masked."""

    allowed: Pattern
    layout: Layout
    order: Order | None = None
    """Permutation of the tokens before they are cut into blocks; cannot be combined with ``extra``."""
    extra: torch.Tensor | None = None
    """(1 or B, 1 or N, E) token indices of the layout's extra keys; negative where a block has fewer."""

    def pairs(self, length: int) -> int:
        """Return the computed pairs of one head in a window of ``length`` tokens, without spare keys."""
        if length <= self.layout.keys:
            return length * length
        places = length if self.order is None else len(self.order)
        return self.layout.num_blocks(places) * self.layout.block * self.layout.keys + self.layout.num_global * places

    def prepare(self, library: LibraryMask, lengths: Sequence[int] = (), *, fill: bool = True) -> "PreparedPlan":
        """Build the mask of a batch, once per forward pass; ``lengths`` and ``fill`` as for ``masks.build``."""
        num_keys, num_queries = library.num_keys, library.num_queries
        if self.order is None or num_queries != num_keys or num_keys <= self.layout.keys:
            return PreparedPlan(
                masks.build(library, self.allowed, layout=self.layout, extra=self.extra, lengths=lengths, fill=fill)
            )
        order = self.order.to(library.device)
        pattern = order.pattern(self.allowed, num_keys)
        return PreparedPlan(masks.build(order.mask(library), pattern, self.layout, fill=fill), order)

    def prepare_part(self, part: Part, padding: torch.Tensor, **library: Any) -> "PreparedPlan":
        """Build the mask of a part of each window; arguments as for ``masks.build_part``."""
        assert self.order is None
        assert self.extra is None
        return PreparedPlan(masks.build_part(self.allowed, self.layout, part, padding, **library), part=part)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPlan:
    """A plan with the mask of a batch and the bias of a layer."""

    mask: BlockMask | DenseMask
    order: Order | None = None
    bias: Bias | None = None
    """Indexed by tokens, not by places."""
    part: Part | None = None
    """The part of each window that this process has; None where it has whole windows."""
    prefix: Prefix | None = None
    """Trained keys of a layer, of the same heads, that all queries see."""

    def of_heads(self, heads: slice) -> "PreparedPlan":
        """Return the plan for some of the heads."""
        return self if self.bias is None else replace(self, bias=self.bias.of_heads(heads))

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, dropout: float, scaling: float | None
    ) -> torch.Tensor:
        """Compute attention.

        Args:
            query: (B, H, L, D)
            key: (B, K, L, D)
            value: (B, K, L, D)
            dropout: Fraction of weights to drop.
            scaling: Factor of the scores; None for D ** −0.5.

        Returns:
            (B, L, H, D)
        """
        if isinstance(self.mask, DenseMask):
            pairs = self.mask.pairs
            return dense_sdpa(
                query, key, value, pairs, dropout=dropout, scaling=scaling, bias=self.bias, prefix=self.prefix
            ).transpose(1, 2)
        if self.part is not None:
            return split_sdpa(query, key, value, mask=self.mask, part=self.part, dropout=dropout, scaling=scaling)
        if self.order is None:
            return blocked_sdpa(
                query, key, value, self.mask, dropout=dropout, scaling=scaling, bias=self.bias, prefix=self.prefix
            )
        query, key, value = (self.order.sort(part.transpose(1, 2)).transpose(1, 2) for part in (query, key, value))
        bias = self.bias and self.bias.sorted_by(self.order.tokens)
        outputs = blocked_sdpa(
            query, key, value, self.mask, dropout=dropout, scaling=scaling, bias=bias, prefix=self.prefix
        )
        return self.order.restore(outputs)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPlans:
    """What the mask interface passes to the attention interface; not a sequence, so that no model unpacks it."""

    plans: tuple[PreparedPlan, ...]
    """One for all heads, or one for each half of them."""

    def of_layer(self, bias: Bias | None, prefix: Prefix | None) -> tuple[PreparedPlan, ...]:
        """Return the plans with the bias and the trained keys of a layer, where it has them."""
        if bias is None and prefix is None:
            return self.plans
        return tuple(replace(plan, bias=bias, prefix=prefix) for plan in self.plans)


def attend_by_heads(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    plans: Sequence[PreparedPlan],
    *,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Compute each plan with its heads; with two plans the first H // 2 query heads follow the first one.

    Args:
        query: (B, H, L, D)
        key: (B, K, L, D)
        value: (B, K, L, D)
        plans: One, or two.
        dropout: Fraction of weights to drop.
        scaling: Factor of the scores; None for D ** −0.5.

    Returns:
        (B, L, H, D)
    """
    if len(plans) == 1:
        return plans[0].attend(query, key, value, dropout=dropout, scaling=scaling)
    first, prefix = query.shape[1] // 2, plans[0].prefix
    groups = query.shape[1] // key.shape[1]
    if first % groups:  # a key head serves query heads of both halves
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        prefix = prefix and prefix.repeated(groups)
        groups = 1
    cut = first // groups
    halves = (
        (query[:, :first], key[:, :cut], value[:, :cut]),
        (query[:, first:], key[:, cut:], value[:, cut:]),
    )
    own = [plans[0].of_heads(slice(first)), plans[1].of_heads(slice(first, None))]
    if prefix is not None:
        both = (prefix.of_heads(slice(cut)), prefix.of_heads(slice(cut, None)))
        own = [replace(plan, prefix=half) for plan, half in zip(own, both, strict=True)]
    outputs = [plan.attend(*half, dropout=dropout, scaling=scaling) for plan, half in zip(own, halves, strict=True)]
    return torch.cat(outputs, dim=2)
