"""Blocked attention over spans of neighbouring keys: cost grows linearly with the length.

Queries are cut into blocks; each block attends to one span of consecutive keys around it, preceded by the global keys
and by extra keys chosen for the block. ``scaled_dot_product_attention`` runs with many blocks of many documents as its
batch.

Shape legend: B windows, H query heads, K key heads, L tokens, D head width, N blocks of a window, Q tokens of a block,
G global tokens, E extra keys of a block, S = G + E + left + Q + right keys that a block sees.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.prefix import Prefix
from ctxlab.strategies.attention.kernels.bias import Bias, Places, biased_sdpa
from ctxlab.strategies.attention.kernels.products import has_matrix_units, products_sdpa, takes_products

TOKENS_PER_CALL = 2048
"""Queries of one kernel call, so that spans fit the CPU cache and the allocator reuses their memory: in one piece,
16,384 tokens took 1.4 times as long per token as 2,048 (fp32, measured on a CPU)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The sizes of a block of queries and of the keys that it attends to."""

    block: int
    """Queries of a block (Q)."""
    left: int
    """Keys before the block that belong to its span."""
    right: int
    """Keys after the block that belong to its span."""
    num_global: int
    """First tokens of a window whose keys every block has (G)."""
    num_extra: int = 0
    """Keys chosen individually for each block, or for all of them (E)."""

    @property
    def keys(self) -> int:
        """Return the number of keys of a block (S)."""
        return self.lead + self.left + self.block + self.right

    @property
    def lead(self) -> int:
        """Return the number of keys before the span: global and extra ones."""
        return self.num_global + self.num_extra

    def num_blocks(self, length: int) -> int:
        """Return the number of blocks of a window of ``length`` tokens; the last one may be short."""
        return (length + self.block - 1) // self.block  # exact, and with symbolic lengths too

    def pieces(self, batch: int, length: int) -> list[tuple[slice, int, int]]:
        """Return windows, first block and number of blocks of each kernel call, in the order of (B, N)."""
        num_blocks, most = self.num_blocks(length), max(1, TOKENS_PER_CALL // self.block)
        if num_blocks > most:
            firsts = range(0, num_blocks, most)
            return [(slice(b, b + 1), i, min(most, num_blocks - i)) for b in range(batch) for i in firsts]
        rows = most // num_blocks
        return [(slice(b, min(b + rows, batch)), 0, num_blocks) for b in range(0, batch, rows)]


@dataclass(frozen=True, slots=True, eq=False)
class BlockMask:
    """The mask of each block of queries, built once per forward pass and shared by all layers."""

    layout: Layout
    local: torch.Tensor
    """(B·N, 1 or H, Q, S) bool."""
    rows: torch.Tensor | None
    """(B, 1 or H, G, L) bool: global queries over all keys; None where the blocks contain all of these pairs."""
    extra: torch.Tensor | None = None
    """(1 or B, 1 or N, E) token indices of the extra keys; negative where a block has fewer."""
    _additive: dict[torch.dtype, torch.Tensor] = field(default_factory=dict)

    def additive(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the local mask as 0 or −inf for the kernel; computed once, so that all layers save the same tensor."""
        if dtype not in self._additive:
            self._additive[dtype] = as_additive(self.local, dtype)
        return self._additive[dtype]

    def biases(self, bias: Bias, batch: int, length: int) -> list[Places]:
        """Return the entries of ``bias`` for the pairs of each kernel call, in the order of ``Layout.pieces``."""
        layout, device, places = self.layout, self.local.device, []
        for rows, first, count in layout.pieces(batch, length):
            start = torch.arange(first, first + count, device=device)[None, :, None] * layout.block  # (1, n, 1)
            query = start + torch.arange(layout.block, device=device)  # (1, n, Q)
            span = start + torch.arange(-layout.left, layout.block + layout.right, device=device)  # (1, n, S − lead)
            lead = [torch.arange(layout.num_global, device=device)[None, None]] if layout.num_global else []
            lead += [] if self.extra is None else [_of_piece(self.extra, rows, first, count)]
            places.append(bias.of_blocks(query, lead, span, rows=rows, length=length))
        return places


def as_additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return 0 where ``seen`` is True, −inf where it is False."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -math.inf)


class Spans(torch.autograd.Function):
    """Gathers the keys (or values) of each block: (B, L, K, D) to pieces (n, S, K, D) whose n add up to B·N.

    The backward pass adds one shifted slice per block width instead of scattering by index, which makes the backward
    pass of ``unfold`` slow.
    """

    @staticmethod
    def forward(
        ctx: Any, tokens: torch.Tensor, layout: Layout, extra: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        """Copy global keys, extra keys and the span of each block."""
        ctx.layout, ctx.shape, ctx.extra = layout, tokens.shape, extra
        batch, length, heads, width = tokens.shape
        num_global, num_blocks = layout.num_global, layout.num_blocks(length)
        tail = num_blocks * layout.block - length
        padded = F.pad(tokens, (0, 0, 0, 0, layout.left, tail + layout.right))  # (B, left + N·Q + right, K, D)
        pieces = []
        for rows, first, count in layout.pieces(batch, length):
            spans = tokens.new_empty(rows.stop - rows.start, count, layout.keys, heads, width)  # (b, count, S, K, D)
            spans[:, :, :num_global] = tokens[rows, None, :num_global]
            if extra is not None:
                spans[:, :, num_global : layout.lead] = _pick(tokens[rows], _of_piece(extra, rows, first, count))
            spans[:, :, layout.lead :] = strided(
                padded[rows], layout, first=first, count=count, start=0, size=layout.keys - layout.lead
            )
            pieces.append(spans.flatten(0, 1))
        return tuple(pieces)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Sum the gradients of the blocks for each token."""
        layout: Layout = ctx.layout
        batch, length, heads, width = ctx.shape
        num_global, lead = layout.num_global, layout.lead
        padding = layout.left + layout.right
        padded = gradients[0].new_zeros(batch, layout.num_blocks(length) * layout.block + padding, heads, width)
        total = padded[:, layout.left : layout.left + length]  # (B, L, K, D), a view
        shared = gradients[0].new_zeros(batch, num_global, heads, width)
        for (rows, first, count), piece in zip(layout.pieces(batch, length), gradients, strict=True):
            spans = piece.unflatten(0, (-1, count))  # (b, count, S, K, D)
            shared[rows] += spans[:, :, :num_global].sum(1)
            if ctx.extra is not None:
                _add_picked(total[rows], _of_piece(ctx.extra, rows, first, count), spans[:, :, num_global:lead])
            for start in range(0, layout.keys - lead, layout.block):
                size = min(layout.block, layout.keys - lead - start)
                target = strided(padded[rows], layout, first=first, count=count, start=start, size=size)
                target.add_(spans[:, :, lead + start : lead + start + size])
        total[:, :num_global] += shared
        return total, None, None


def _of_piece(extra: torch.Tensor, rows: slice, first: int, count: int) -> torch.Tensor:
    """Return (1 or b, 1 or count, E): the extra indices of a piece; absent ones (−1) read the first token."""
    rows = rows if extra.shape[0] > 1 else slice(None)
    blocks = slice(first, first + count) if extra.shape[1] > 1 else slice(None)
    return extra[rows, blocks].clamp(min=0)


def _pick(tokens: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return (b, n, E, K, D): tokens (b, L, K, D) at ``index`` (1 or b, n, E)."""
    if len(index) == 1:
        picked = tokens.index_select(1, index.flatten())
    else:
        picked = torch.stack([row.index_select(0, own.flatten()) for row, own in zip(tokens, index, strict=True)])
    by_block: torch.Tensor = picked.unflatten(1, index.shape[1:])
    return by_block


def _add_picked(total: torch.Tensor, index: torch.Tensor, gradient: torch.Tensor) -> None:
    """Add ``gradient`` (b, n, E, K, D) to ``total`` (b, L, K, D) in place: the backward pass of ``_pick``.

    Absent keys are masked, so that they add zero to the first token.
    """
    if index.shape[1] == 1:  # the same keys for all blocks: sum over blocks first, in a fixed order
        gradient = gradient.sum(1, keepdim=True)
    for row, own in enumerate(index.expand(len(total), -1, -1)):
        total[row].index_add_(0, own.flatten(), gradient[row].flatten(0, 1))


def strided(padded: torch.Tensor, layout: Layout, first: int, count: int, start: int, size: int) -> torch.Tensor:
    """Return a view (B, count, size, K, D): of each block, ``size`` tokens from ``start`` of its span.

    Args:
        padded: (B, left + N·Q + right, K, D) tokens.
        layout: Sizes of the blocks.
        first: First block.
        count: Number of blocks.
        start: Offset in the span.
        size: Tokens of the view.
    """
    batch, _, heads, width = padded.shape
    by_batch, by_token, by_head, by_width = padded.stride()
    strides = (by_batch, layout.block * by_token, by_token, by_head, by_width)
    offset = padded.storage_offset() + (first * layout.block + start) * by_token
    return padded.as_strided((batch, count, size, heads, width), strides, offset)


def blocked_sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: BlockMask,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    bias: Bias | None = None,
    prefix: Prefix | None = None,
) -> torch.Tensor:
    """Compute blocked attention; where bf16 is slower than fp32, it is computed in fp32 and rounded at the end.

    Args:
        query: (B, H, L, D); H is a multiple of K.
        key: (B, K, L, D)
        value: (B, K, L, D)
        mask: Which pairs attend, in blocks.
        dropout: Fraction of weights to drop.
        scaling: Factor of the scores; None for D ** −0.5.
        bias: Added to the scores; None for no bias.
        prefix: Trained keys that all queries see; None for none.

    Returns:
        (B, L, H, D), the layout that models of Transformers expect.
    """
    if query.dtype == torch.bfloat16 and is_slow_in_bf16(query.device):
        with torch.autocast(query.device.type, enabled=False):
            bias = bias and bias.in_fp32()
            wide = (query.float(), key.float(), value.float())
            return blocked_sdpa(*wide, mask, dropout=dropout, scaling=scaling, bias=bias, prefix=prefix).to(query.dtype)
    batch, heads, length, _ = query.shape
    layout = mask.layout
    num_blocks = layout.num_blocks(length)
    blocks = F.pad(query.transpose(1, 2), (0, 0, 0, 0, 0, num_blocks * layout.block - length))
    blocks = blocks.unflatten(1, (num_blocks, layout.block)).flatten(0, 1).transpose(1, 2)  # (B·N, H, Q, D)
    keys, values = (Spans.apply(tokens.transpose(1, 2), layout, mask.extra) for tokens in (key, value))
    sizes = [len(piece) for piece in keys]
    places = [None] * len(sizes) if bias is None else mask.biases(bias, batch, length)
    pieces = zip(blocks.split(sizes), keys, values, mask.additive(query.dtype).split(sizes), places, strict=True)
    outputs = torch.cat(
        [
            _sdpa(
                q,
                k.transpose(1, 2),
                value=v.transpose(1, 2),
                hidden=seen,
                bias=bias,
                places=where,
                prefix=prefix,
                dropout=dropout,
                scaling=scaling,
            ).transpose(1, 2)
            for q, k, v, seen, where in pieces
        ]
    )
    outputs = outputs.view(batch, -1, heads, value.shape[-1])[:, :length]  # (B, L, H, D)
    if mask.rows is not None:
        # Global queries attend to all keys: a few dense rows replace the outputs of their block.
        first = query[:, :, : layout.num_global]
        rows = dense_sdpa(first, key, value, mask.rows, dropout=dropout, scaling=scaling, bias=bias, prefix=prefix)
        outputs[:, : layout.num_global] = rows.transpose(1, 2)
    return outputs


def dense_sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    seen: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    bias: Bias | None = None,
    prefix: Prefix | None = None,
) -> torch.Tensor:
    """Compute dense attention of the first queries to all keys.

    Args:
        query: (B, H, queries, D)
        key: (B, K, keys, D)
        value: (B, K, keys, D)
        seen: (B or 1, 1 or H, queries, keys) bool; None where all pairs attend.
        dropout: Fraction of weights to drop.
        scaling: Factor of the scores; None for D ** −0.5.
        bias: Added to the scores; None for no bias.
        prefix: Trained keys that all queries see; None for none, and with a bias.

    Returns:
        (B, H, queries, D)
    """
    if bias is None:
        return sdpa(query, key, value, seen, dropout=dropout, scaling=scaling, prefix=prefix)
    queries, keys = query.shape[2], key.shape[2]
    shown = torch.ones(1, 1, queries, keys, dtype=torch.bool, device=query.device) if seen is None else seen
    places, hidden = bias.everywhere(queries, keys), as_additive(shown, query.dtype)
    return biased_sdpa(
        query, key, value=value, bias=bias, places=places, hidden=hidden, dropout=dropout, scaling=scaling
    )


def _sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    hidden: torch.Tensor,
    bias: Bias | None,
    places: Places | None,
    prefix: Prefix | None,
    *,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Run one kernel call, with or without a bias."""
    if bias is None or places is None:
        return sdpa(query, key, value, hidden, dropout=dropout, scaling=scaling, prefix=prefix)
    return biased_sdpa(
        query, key, value=value, bias=bias, places=places, hidden=hidden, dropout=dropout, scaling=scaling
    )


def is_slow_in_bf16(device: torch.device) -> bool:
    """Return whether this is a CPU without AMX bf16, whose kernel takes twice as long as in fp32 (measured)."""
    return device.type == "cpu" and not has_matrix_units(device)


def sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    prefix: Prefix | None = None,
) -> torch.Tensor:
    """Run PyTorch's SDPA kernel, with key heads shared by groups of query heads.

    Args:
        query: (B, H, L, D); H is a multiple of K.
        key: (B, K, S, D)
        value: (B, K, S, D)
        mask: Bool or additive, broadcasts to (B, H, L, S); None for none.
        dropout: Fraction of weights to drop.
        scaling: Factor of the scores; None for D ** −0.5.
        prefix: Trained keys that all queries see, before the others; None for none.

    Returns:
        (B, H, L, D)
    """
    if prefix is not None:
        (key, value), mask = prefix.before(key, value), prefix.shown(mask)
    if mask is not None and takes_products(query, key, dropout):
        added = as_additive(mask, query.dtype) if mask.dtype == torch.bool else mask
        return products_sdpa(query, key, value, added, scaling)
    groups = query.shape[1] // key.shape[1]
    # With a mask, only the CPU kernel supports shared key heads on its fast path.
    if groups > 1 and query.device.type != "cpu":
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        groups = 1
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling, enable_gqa=groups > 1
    )
