"""Blocked attention in a window that several processes hold together (context parallelism).

Each process has the queries, keys and values of a contiguous part of the window's tokens. From its neighbours it gets
the keys and values of as many tokens as a window reaches (a halo), and from the first part those of the global tokens.
Global queries attend to every part: each computes its share of their softmax, and the shares are merged by their
log-sum-exp. What is sent does not depend on the length of the window.

All of a layer is one node of the autograd graph, so that every process exchanges in the same order: with several nodes
the engine of one process could run them in another order than that of its neighbour, and both would wait for ever. The
node keeps the part's tokens and their halo, and computes the weights of a piece of blocks again in the backward pass.

Source: the exchange of neighbours is that of stencil codes; the merge is that of online softmax (Milakov & Gimelshein
2018, arXiv:1805.02867), as in ring attention (Liu et al. 2023, arXiv:2310.01889), which passes all keys around instead.

Shape legend: as in ``blocks``, with P tokens of a part, and E = D + the width of a value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.parts import Part
from ctxlab.strategies.attention.kernels.blocks import BlockMask, is_slow_in_bf16, sdpa
from ctxlab.strategies.attention.kernels.spans import strided


def split_sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: BlockMask,
    part: Part,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
) -> torch.Tensor:
    """Compute attention of the queries of a part to the keys of all parts.

    Args:
        query: (B, H, P, D); H is a multiple of K.
        key: (B, K, P, D)
        value: (B, K, P, D)
        mask: Which pairs attend, see ``masks.build_part``.
        part: Exchanges tensors with the other parts.
        dropout: Must be 0.
        scaling: Factor of the scores; None for D ** −0.5.

    Returns:
        (B, P, H, D)
    """
    if dropout:
        raise NotImplementedError("attention dropout in a window that is split among processes")
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    tokens = torch.cat([key, value], dim=-1).transpose(1, 2)  # (B, P, K, E)
    output: torch.Tensor = PartAttention.apply(query.transpose(1, 2), tokens, mask, part, key.shape[-1], scaling)
    return output


class PartAttention(torch.autograd.Function):
    """Attention of a part's queries (B, P, H, D) to keys and values (B, P, K, E) of all parts."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, tokens: torch.Tensor, mask: BlockMask, part: Part, width: int, scaling: float
    ) -> torch.Tensor:
        """Exchange halos, compute the blocks, and merge the shares of the global queries.

        Args:
            ctx: Keeps what the backward pass needs.
            query: (B, P, H, D)
            tokens: (B, P, K, E), keys before values.
            mask: Which pairs attend.
            part: Exchanges tensors with the other parts.
            width: Width of a key (D).
            scaling: Factor of the scores.

        Returns:
            (B, P, H, E − D)
        """
        ctx.mask, ctx.part, ctx.width, ctx.scaling, ctx.length = mask, part, width, scaling, tokens.shape[1]
        layout = mask.layout
        before, after = part.exchange(
            to_before=tokens[:, : layout.right],
            to_after=tokens[:, ctx.length - layout.left :],
            like_before=tokens[:, : layout.left],
            like_after=tokens[:, : layout.right],
        )
        tail = layout.num_blocks(ctx.length) * layout.block - ctx.length
        padded = F.pad(
            torch.cat([before, tokens, after], dim=1), (0, 0, 0, 0, 0, tail)
        )  # (B, left + N·Q + right, K, E)
        first, first_query = _from_first(part, tokens[:, : layout.num_global], query[:, : layout.num_global])
        output, merged = torch.empty_like(query[..., :1].expand(-1, -1, -1, tokens.shape[-1] - width)), None
        with torch.autocast(query.device.type, enabled=False):
            blocks = _Blocks(ctx, query, padded, first)
            for piece in blocks.pieces(learns=any(ctx.needs_input_grad)):
                blocks.put(output, piece, piece.output.detach())
            if mask.rows is not None:
                merged = _merge(part.at_first(_Rows(ctx, first_query, tokens).share()))
        if merged is not None:
            output[:, : layout.num_global] = merged[..., :-1].flatten(1, 2).transpose(1, 2)
        ctx.save_for_backward(query, padded, first, first_query, merged)
        return output

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradients of the own tokens, and send those of halos and global tokens to where they belong."""
        query, padded, first, first_query, merged = ctx.saved_tensors
        part, layout, length = ctx.part, ctx.mask.layout, ctx.length
        left, right, num_global = layout.left, layout.right, layout.num_global
        gradient = outer[0].to(_accumulated(query), copy=True)  # (B, P, H, E − D)
        by_query, by_padded, by_first, by_first_query = (
            torch.zeros(one.shape, dtype=gradient.dtype, device=one.device)
            for one in (query, padded, first, first_query)
        )
        by_tokens = by_padded[:, left : left + length]  # a view
        with torch.autocast(query.device.type, enabled=False):
            if ctx.mask.rows is not None:
                rows = _Rows(ctx, first_query, padded[:, left : left + length])
                message = rows.message(gradient[:, :num_global], merged)
                rows.differentiate(part.from_first(message), by_first_query, by_tokens)
                if part.is_first:
                    gradient[:, :num_global] = 0  # the merged rows have replaced these outputs
            blocks = _Blocks(ctx, query, padded, first)
            for piece in blocks.pieces(learns=True):
                blocks.differentiate(piece, gradient, by_query, by_padded=by_padded, by_first=by_first)
        before, after = part.exchange(
            to_before=by_padded[:, :left],
            to_after=by_padded[:, left + length : left + length + right],
            like_before=by_tokens[:, :right],
            like_after=by_tokens[:, :left],
        )
        by_tokens[:, :right] += before
        by_tokens[:, length - left :] += after
        _add_at_first(part, (by_first, by_first_query), (by_tokens[:, :num_global], by_query[:, :num_global]))
        return by_query.to(query.dtype), by_tokens.to(padded.dtype), None, None, None, None


def _accumulated(tensor: torch.Tensor) -> torch.dtype:
    """Return the type in which gradients and weights of global queries are summed: fp32 for 16-bit types."""
    return torch.float32 if tensor.dtype.itemsize < 4 else tensor.dtype


def _from_first(part: Part, tokens: torch.Tensor, query: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return keys and values (B, G, K, E) and queries (B, G, H, D) of the global tokens, sent as one tensor."""
    if not tokens.shape[1]:
        return tokens, query
    sizes = [tokens.shape[2] * tokens.shape[3], query.shape[2] * query.shape[3]]
    found = part.from_first(torch.cat([tokens.flatten(2), query.flatten(2)], dim=-1)).split(sizes, -1)
    return found[0].reshape(tokens.shape), found[1].reshape(query.shape)


def _add_at_first(part: Part, shares: tuple[torch.Tensor, ...], totals: tuple[torch.Tensor, ...]) -> None:
    """Add the ``shares`` of all parts, (B, G, ..., ...) each, to ``totals`` of the first part, in place."""
    if not shares[0].shape[1]:
        return
    for received in part.at_first(torch.cat([share.flatten(2) for share in shares], dim=-1)):
        sums = received.split([share[0, 0].numel() for share in shares], -1)
        for total, one in zip(totals, sums, strict=True):
            total += one.reshape(total.shape)


def _merge(shares: list[torch.Tensor]) -> torch.Tensor | None:
    """Merge shares of a softmax (B, K, R, G, E − D + 1), log-sum-exp last, to one; None at parts without them."""
    if not shares:
        return None
    found = torch.stack(shares)  # (count, B, K, R, G, E − D + 1)
    logs = found[..., -1:]
    whole = logs.logsumexp(0)
    return torch.cat([((logs - whole).exp() * found[..., :-1]).sum(0), whole], dim=-1)


class _Rows:
    """The global queries over the keys of a part; R query heads share a key head."""

    def __init__(self, ctx: Any, query: torch.Tensor, tokens: torch.Tensor) -> None:
        """Compute the scores of queries (B, G, H, D) for tokens (B, P, K, E)."""
        inner, self.scaling = _accumulated(query), ctx.scaling
        self.query = query.unflatten(2, (tokens.shape[2], -1)).to(inner)  # (B, G, K, R, D)
        self.key, self.value = tokens[..., : ctx.width].to(inner), tokens[..., ctx.width :].to(inner)
        scores = torch.einsum("bgkrd,bpkd->bkrgp", self.query, self.key) * self.scaling
        self.scores = scores.masked_fill(~ctx.mask.rows[:, None], -torch.inf)  # (B, K, R, G, P)

    def share(self) -> torch.Tensor:
        """Return the part's share (B, K, R, G, E − D + 1): outputs over its own keys, and their log-sum-exp last."""
        logs = self.scores.logsumexp(-1, keepdim=True)  # −inf where the part has no key for a query
        weights = (self.scores - logs).exp().nan_to_num(nan=0.0)
        return torch.cat([torch.einsum("bkrgp,bpke->bkrge", weights, self.value), logs], dim=-1)

    def message(self, gradient: torch.Tensor, merged: torch.Tensor | None) -> torch.Tensor:
        """Return (B, K, R, G, E − D + 2): what all parts need for their gradients; empty except at the first part.

        It is the gradient of the merged outputs (B, G, H, E − D), its product with them, and their log-sum-exp.
        """
        by_output = gradient.unflatten(2, self.query.shape[2:4]).movedim(1, 3)  # (B, K, R, G, E − D)
        if merged is None:
            return F.pad(by_output, (0, 2))
        product = (by_output * merged[..., :-1]).sum(-1, keepdim=True)
        return torch.cat([by_output, product, merged[..., -1:]], dim=-1)

    def differentiate(self, message: torch.Tensor, by_query: torch.Tensor, by_tokens: torch.Tensor) -> None:
        """Add the gradients to ``by_query`` (B, G, H, D) and ``by_tokens`` (B, P, K, E), in place."""
        by_output, product, logs = message[..., :-2], message[..., -2:-1], message[..., -1:]
        weights = (self.scores - logs).exp()  # (B, K, R, G, P) of the merged softmax
        by_weights = torch.einsum("bkrge,bpke->bkrgp", by_output, self.value)
        by_scores = weights * (by_weights - product) * self.scaling
        by_query += torch.einsum("bkrgp,bpkd->bgkrd", by_scores, self.key).flatten(2, 3)
        by_key = torch.einsum("bkrgp,bgkrd->bpkd", by_scores, self.query)
        by_tokens += torch.cat([by_key, torch.einsum("bkrgp,bkrge->bpke", weights, by_output)], dim=-1)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One kernel call: n blocks of queries with the keys that they see."""

    rows: slice
    """Its windows."""
    first: int
    """First block of each."""
    count: int
    """Blocks of each."""
    inputs: tuple[torch.Tensor, ...]
    """Queries (n, H, Q, D), keys (n, K, S, D) and values (n, K, S, E − D); leaves of a graph if they learn."""
    output: torch.Tensor
    """(n, H, Q, E − D)"""


class _Blocks:
    """The blocks of a part's queries over the keys of the part, its halo and the global tokens."""

    def __init__(self, ctx: Any, query: torch.Tensor, padded: torch.Tensor, first: torch.Tensor) -> None:
        """Take queries (B, P, H, D), tokens with halo (B, left + N·Q + right, K, E), and global tokens (B, G, K, E)."""
        self.mask, self.layout, self.width, self.scaling = ctx.mask, ctx.mask.layout, ctx.width, ctx.scaling
        self.length = query.shape[1]
        slow = query.dtype == torch.bfloat16 and is_slow_in_bf16(query.device)
        self.dtype = torch.float32 if slow else query.dtype
        num_blocks = self.layout.num_blocks(self.length)
        whole = F.pad(query, (0, 0, 0, 0, 0, num_blocks * self.layout.block - self.length))
        self.blocks = whole.unflatten(1, (num_blocks, self.layout.block))  # (B, N, Q, H, D)
        self.padded, self.first = padded, first

    def pieces(self, *, learns: bool) -> Iterator[_Piece]:
        """Compute one piece after the other; with gradients if the layer ``learns``, which are counted as FLOPs."""
        cuts = self.layout.pieces(len(self.blocks), self.length)
        seen = self.mask.additive(self.dtype).split([(rows.stop - rows.start) * count for rows, _, count in cuts])
        for (rows, first, count), hidden in zip(cuts, seen, strict=True):
            queries = self.blocks[rows, first : first + count].flatten(0, 1).transpose(1, 2)  # (n, H, Q, D)
            spans = self._spans(rows, first, count)  # (b, count, S, K, E)
            spans = spans.flatten(0, 1).transpose(1, 2)  # (n, K, S, E)
            parts = (queries, spans[..., : self.width], spans[..., self.width :])
            with torch.set_grad_enabled(learns):
                q, k, v = (one.detach().to(self.dtype).requires_grad_(learns) for one in parts)
                output = sdpa(q, k, v, hidden, scaling=self.scaling)
                yield _Piece(rows, first, count, inputs=(q, k, v), output=output)

    def _spans(self, rows: slice, first: int, count: int) -> torch.Tensor:
        """Return (b, count, S, K, E): global tokens and the span of each block."""
        shared = self.first[rows, None].expand(-1, count, -1, -1, -1)
        size = self.layout.keys - self.layout.num_global
        return torch.cat(
            [shared, strided(self.padded[rows], self.layout, first=first, count=count, start=0, size=size)], dim=2
        )

    def _tokens(self, piece: _Piece) -> slice:
        """Return the places of the queries of a piece; the last block may be short."""
        block = self.layout.block
        return slice(piece.first * block, min((piece.first + piece.count) * block, self.length))

    def put(self, total: torch.Tensor, piece: _Piece, values: torch.Tensor) -> None:
        """Write the ``values`` of a piece (n, H, Q, D) to their places in ``total`` (B, P, H, D)."""
        places = self._tokens(piece)
        by_token = values.transpose(1, 2).unflatten(0, (-1, piece.count)).flatten(1, 2)  # (b, count·Q, H, D)
        total[piece.rows, places] = by_token[:, : places.stop - places.start].to(total.dtype)

    def differentiate(
        self,
        piece: _Piece,
        gradient: torch.Tensor,
        by_query: torch.Tensor,
        by_padded: torch.Tensor,
        by_first: torch.Tensor,
    ) -> None:
        """Add the gradients of a piece to those of its inputs, in place.

        Args:
            piece: The piece, with a graph.
            gradient: (B, P, H, E − D) of all outputs.
            by_query: (B, P, H, D)
            by_padded: (B, left + N·Q + right, K, E)
            by_first: (B, G, K, E)
        """
        layout, places = self.layout, self._tokens(piece)
        own = gradient[piece.rows, places]  # (b, up to count·Q, H, E − D)
        own = F.pad(own, (0, 0, 0, 0, 0, piece.count * layout.block - own.shape[1]))
        own = own.unflatten(1, (piece.count, layout.block)).flatten(0, 1).transpose(1, 2).to(self.dtype)
        queries, keys, values = torch.autograd.grad(piece.output, piece.inputs, own)
        self.put(by_query, piece, queries)
        spans = torch.cat([keys, values], dim=-1).transpose(1, 2).unflatten(0, (-1, piece.count))  # (b, count, S, K, E)
        by_first[piece.rows] += spans[:, :, : layout.num_global].sum(1)
        spans = spans[:, :, layout.num_global :]
        for start in range(0, spans.shape[2], layout.block):  # slices of a block's width do not overlap
            size = min(layout.block, spans.shape[2] - start)
            target = strided(
                by_padded[piece.rows], layout, first=piece.first, count=piece.count, start=start, size=size
            )
            target.add_(spans[:, :, start : start + size])
