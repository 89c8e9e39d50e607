"""One softmax over the keys of several plans, for patterns that no single order of tokens cuts into blocks.

Shape legend: as in ``blocks``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ctxlab.strategies.attention.kernels.bias import Bias, add
from ctxlab.strategies.attention.kernels.blocks import BlockMask, as_additive
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.order import Order
from ctxlab.strategies.attention.kernels.plan import Plan, PreparedPlan
from ctxlab.strategies.attention.kernels.spans import Spans


def prepare_union(plans: Sequence[Plan], library: LibraryMask) -> tuple[PreparedPlan, ...]:
    """Build the masks of a batch for plans that share no pair; a query without any key attends to itself.

    The first plan must keep the order of tokens and include each block's own keys; all must run in blocks.
    """
    ready = [plan.prepare(library, fill=False) for plan in plans]
    shape = library.batch_size, library.num_keys
    scored = [BlockScores.of(one, *shape) for one in ready]
    lonely = ~torch.stack([one.restore(one.mask.local.any(-1).transpose(1, 2)) for one in scored]).any(0)
    mask, layout = scored[0].mask, scored[0].mask.layout
    itself = torch.arange(layout.block, device=lonely.device)[:, None] + layout.lead + layout.left
    itself = itself == torch.arange(layout.keys, device=lonely.device)
    filled = replace(mask, local=mask.local | (scored[0].cut(lonely[..., None])[:, None, :, 0] & itself))
    return (replace(ready[0], mask=filled), *ready[1:])


def attend_to_union(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    plans: Sequence[PreparedPlan],
    *,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Compute attention with one softmax over the keys of all plans.

    Args:
        query: (B, H, L, D)
        key: (B, K, L, D)
        value: (B, K, L, D)
        plans: Prepared plans that share no pair.
        dropout: Fraction of weights to drop.
        scaling: Factor of the scores; None for D ** −0.5.

    Returns:
        (B, L, H, D)
    """
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    groups = query.shape[1] // key.shape[1]
    query, key, value = (tokens.transpose(1, 2) for tokens in (query * scaling, key, value))
    key, value = key.repeat_interleave(groups, 2), value.repeat_interleave(groups, 2)
    scored = [BlockScores.of(plan, *query.shape[:2]) for plan in plans]
    scores = torch.cat([one.scores(query, key) for one in scored], dim=-1)  # (B, L, H, keys of all plans)
    weights = F.dropout(scores.float().softmax(-1).to(value.dtype), dropout)
    shares = weights.split([one.mask.layout.keys for one in scored], dim=-1)
    return torch.stack([one.mix(share, value) for one, share in zip(scored, shares, strict=True)]).sum(0)


@dataclass(frozen=True, slots=True)
class BlockScores:
    """The scores of one plan, in the order of the tokens."""

    mask: BlockMask
    order: Order | None
    batch: int
    length: int
    bias: Bias | None = None
    """Indexed by places, not by tokens."""

    @classmethod
    def of(cls, plan: PreparedPlan, batch: int, length: int) -> "BlockScores":
        """Create it from a plan that runs in blocks."""
        assert isinstance(plan.mask, BlockMask)
        bias = plan.bias if plan.bias is None or plan.order is None else plan.bias.sorted_by(plan.order.tokens)
        return cls(plan.mask, plan.order, batch=batch, length=length, bias=bias)

    def scores(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Return (B, L, H, S): scores of query and key (B, L, H, D), −inf where a pair is masked."""
        scores = torch.einsum("nqhd,nkhd->nqhk", self.cut(query), self.spans(key))  # (B·N, Q, H, S)
        if self.bias is None:
            return self.restore(scores.masked_fill(~self.mask.local.transpose(1, 2), -math.inf))
        return self.restore(scores + self._added(self.bias, scores.dtype).transpose(1, 2))

    def _added(self, bias: Bias, dtype: torch.dtype) -> torch.Tensor:
        """Return (B·N, H, Q, S): biases, −inf where a pair is masked."""
        places = self.mask.biases(bias, self.batch, self.length if self.order is None else len(self.order))
        hidden = as_additive(self.mask.local, dtype).split([where.blocks for where in places])
        return torch.cat([add(bias, *piece) for piece in zip(places, hidden, strict=True)])

    def mix(self, weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Return (B, L, H, D): the sum of values (B, L, H, D) with weights (B, L, H, S)."""
        return self.restore(torch.einsum("nqhk,nkhd->nqhd", self.cut(weights), self.spans(value)))

    def cut(self, tokens: torch.Tensor) -> torch.Tensor:
        """Cut tokens (B, L, ...), with two more dimensions, into blocks (B·N, Q, ...)."""
        layout = self.mask.layout
        tokens = tokens if self.order is None else self.order.sort(tokens)
        num_blocks = layout.num_blocks(tokens.shape[1])
        tokens = F.pad(tokens, (0, 0, 0, 0, 0, num_blocks * layout.block - tokens.shape[1]))
        blocks: torch.Tensor = tokens.unflatten(1, (num_blocks, layout.block)).flatten(0, 1)
        return blocks

    def spans(self, tokens: torch.Tensor) -> torch.Tensor:
        """Gather the keys of each block: (B, L, H, D) to (B·N, S, H, D)."""
        tokens = tokens if self.order is None else self.order.sort(tokens)
        return torch.cat(Spans.apply(tokens, self.mask.layout, self.mask.extra))

    def restore(self, blocks: torch.Tensor) -> torch.Tensor:
        """Map blocks (B·N, Q, ...) back to tokens (B, L, ...)."""
        tokens = blocks.unflatten(0, (self.batch, -1)).flatten(1, 2)
        return tokens[:, : self.length] if self.order is None else self.order.restore(tokens[:, : len(self.order)])
