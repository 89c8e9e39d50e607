"""One softmax over keys that lie in different blocks: for patterns which no single way of cutting brings together.

Shape legend: as in ``blocks``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ctxlab.strategies.attention.kernels.bias import Bias, add
from ctxlab.strategies.attention.kernels.blocks import BlockMask, Spans, as_additive
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.order import Order
from ctxlab.strategies.attention.kernels.plan import Plan, PreparedPlan


def prepare_union(plans: Sequence[Plan], library: LibraryMask) -> tuple[PreparedPlan, ...]:
    """Plans that share no pair, with the masks of a batch; a query that none lets see anything sees itself.

    The first plan must keep the order of the tokens and give each block its own keys; all must run in blocks.
    """
    ready = [plan.prepare(library, fill=False) for plan in plans]
    shape = library.batch_size, library.num_keys
    parts = [BlockScores.of(one, *shape) for one in ready]
    lonely = ~torch.stack([part.restore(part.mask.local.any(-1).transpose(1, 2)) for part in parts]).any(0)
    mask, layout = parts[0].mask, parts[0].mask.layout
    itself = torch.arange(layout.block, device=lonely.device)[:, None] + layout.lead + layout.left
    itself = itself == torch.arange(layout.keys, device=lonely.device)
    filled = replace(mask, local=mask.local | (parts[0].cut(lonely[..., None])[:, None, :, 0] & itself))
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
    """Attention of (B, H, L, D) to the keys of all plans at once, to (B, L, H, D)."""
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    groups = query.shape[1] // key.shape[1]
    query, key, value = (tokens.transpose(1, 2) for tokens in (query * scaling, key, value))
    key, value = key.repeat_interleave(groups, 2), value.repeat_interleave(groups, 2)
    parts = [BlockScores.of(plan, *query.shape[:2]) for plan in plans]
    scores = torch.cat([part.scores(query, key) for part in parts], dim=-1)
    weights = F.dropout(scores.float().softmax(-1).to(value.dtype), dropout)
    shares = weights.split([part.mask.layout.keys for part in parts], dim=-1)
    return torch.stack([part.mix(share, value) for part, share in zip(parts, shares, strict=True)]).sum(0)


@dataclass(frozen=True, slots=True)
class BlockScores:
    """The scores of one plan, brought back to the order of the tokens."""

    mask: BlockMask
    order: Order | None
    batch: int
    length: int
    bias: Bias | None = None
    """In the order of the places."""

    @classmethod
    def of(cls, plan: PreparedPlan, batch: int, length: int) -> "BlockScores":
        """Of a plan that runs in blocks."""
        assert isinstance(plan.mask, BlockMask)
        bias = plan.bias if plan.bias is None or plan.order is None else plan.bias.sorted_by(plan.order.tokens)
        return cls(plan.mask, plan.order, batch, length, bias)

    def scores(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """(B, L, H, D) twice to (B, L, H, S), −inf where a pair is hidden."""
        scores = torch.einsum("nqhd,nkhd->nqhk", self.cut(query), self.spans(key))
        if self.bias is None:
            return self.restore(scores.masked_fill(~self.mask.local.transpose(1, 2), -math.inf))
        return self.restore(scores + self._added(self.bias, scores.dtype).transpose(1, 2))

    def _added(self, bias: Bias, dtype: torch.dtype) -> torch.Tensor:
        """(B·N, H, Q, S) of biases, −inf where a pair is hidden."""
        places = self.mask.biases(bias, self.batch, self.length if self.order is None else len(self.order))
        hidden = as_additive(self.mask.local, dtype).split([where.blocks for where in places])
        return torch.cat([add(bias, *piece) for piece in zip(places, hidden, strict=True)])

    def mix(self, weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Weights (B, L, H, S) of the values (B, L, H, D), to (B, L, H, D)."""
        return self.restore(torch.einsum("nqhk,nkhd->nqhd", self.cut(weights), self.spans(value)))

    def cut(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, L, ...) with two more dimensions to (B·N, Q, ...)."""
        layout = self.mask.layout
        tokens = tokens if self.order is None else self.order.sort(tokens)
        num_blocks = layout.num_blocks(tokens.shape[1])
        tokens = F.pad(tokens, (0, 0, 0, 0, 0, num_blocks * layout.block - tokens.shape[1]))
        blocks: torch.Tensor = tokens.unflatten(1, (num_blocks, layout.block)).flatten(0, 1)
        return blocks

    def spans(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, L, H, D) to (B·N, S, H, D)."""
        tokens = tokens if self.order is None else self.order.sort(tokens)
        return torch.cat(Spans.apply(tokens, self.mask.layout, self.mask.extra))

    def restore(self, blocks: torch.Tensor) -> torch.Tensor:
        """(B·N, Q, ...) to (B, L, ...)."""
        tokens = blocks.unflatten(0, (self.batch, -1)).flatten(1, 2)
        return tokens[:, : self.length] if self.order is None else self.order.restore(tokens[:, : len(self.order)])
