"""Blocked attention over spans of neighbouring keys: cost grows linearly with the length.

Queries are cut into blocks; each block attends to one span of consecutive keys around it, preceded by the global keys
and by extra keys chosen for the block. ``scaled_dot_product_attention`` runs with many blocks of many documents as its
batch.

Shape legend: B windows, H query heads, K key heads, L tokens, D head width, N blocks of a window, Q tokens of a block,
G global tokens, E extra keys of a block, S = G + E + left + Q + right keys that a block sees.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ctxlab.core.prefix import Prefix
from ctxlab.strategies.attention.kernels.bias import Bias, Places, biased_sdpa
from ctxlab.strategies.attention.kernels.blockwise import Call, blockwise_sdpa
from ctxlab.strategies.attention.kernels.products import has_matrix_units, products_sdpa, takes_products
from ctxlab.strategies.attention.kernels.spans import Layout, Spans, of_piece


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
            lead += [] if self.extra is None else [of_piece(self.extra, (rows, first, count))]
            places.append(bias.of_blocks(query, lead, span, rows=rows, length=length))
        return places


def as_additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return 0 where ``seen`` is True, −inf where it is False."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -math.inf)


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
    if _is_blockwise(query, key, value, plain=not dropout and bias is None and prefix is None):
        return blockwise_sdpa(query, key, value, _call(query, mask, scaling))
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


def _call(query: torch.Tensor, mask: BlockMask, scaling: float | None) -> Call:
    """Return what ``blockwise_sdpa`` needs beside the tensors."""
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    rows = None if mask.rows is None else as_additive(mask.rows, query.dtype)
    by_products = query.dtype == torch.bfloat16  # elsewhere than on matrix units it is fp32 by now
    return Call(mask.layout, mask.extra, mask.additive(query.dtype), rows, scaling=scaling, by_products=by_products)


def _is_blockwise(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, plain: bool) -> bool:
    """Return whether ``blockwise_sdpa`` computes a call; ``plain`` is one without dropout, bias or trained keys."""
    alike = query.dtype == key.dtype == value.dtype and query.shape[-1] == value.shape[-1]
    if not plain or not alike or query.device.type != "cpu":
        return False
    return query.dtype == torch.bfloat16 or not torch.is_autocast_enabled("cpu")  # which would narrow it


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
        return products_sdpa(query, key, value=value, mask=added, scaling=scaling)
    groups = query.shape[1] // key.shape[1]
    # With a mask, only the CPU kernel supports shared key heads on its fast path.
    if groups > 1 and query.device.type != "cpu":
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        groups = 1
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling, enable_gqa=groups > 1
    )
