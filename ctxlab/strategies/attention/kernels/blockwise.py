"""Blocked attention on a CPU as one autograd node, which gathers the keys of a piece when it computes it, both ways.

Autograd would keep the gathered keys and values of every layer, about three times as many as there are tokens. The
gradient is the library's, from its log-sum-exp, or made of products (see ``products``).

Shape legend: as in ``spans``; H query heads.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from ctxlab.strategies.attention.kernels.products import product_gradients
from ctxlab.strategies.attention.kernels.spans import Gathered, Layout, Piece, SpanSums

KERNEL = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""What ``scaled_dot_product_attention`` runs on a CPU; called directly, as it also returns the log-sum-exp."""
KERNEL_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Call(NamedTuple):
    """What is not differentiated."""

    layout: Layout
    extra: torch.Tensor | None
    """(1 or B, 1 or N, E) token indices of the extra keys."""
    hidden: torch.Tensor
    """(B·N, 1 or H, Q, S), 0 or −inf."""
    rows: torch.Tensor | None
    """(B, 1 or H, G, L), 0 or −inf: global queries over all keys, whose outputs replace those of their block."""
    scaling: float
    by_products: bool
    """Whether the gradients are made of products."""

    def pieces(self, batch: int, length: int) -> Iterator[tuple[Piece, torch.Tensor]]:
        """Yield the pieces with their masks (n, 1 or H, Q, S)."""
        done = 0
        for piece in self.layout.pieces(batch, length):
            rows, _, count = piece
            number = (rows.stop - rows.start) * count
            yield piece, self.hidden[done : done + number]
            done += number


def blockwise_sdpa(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, call: Call) -> torch.Tensor:
    """Compute blocked attention on a CPU, without dropout.

    Args:
        query: (B, H, L, D); H is a multiple of K.
        key: (B, K, L, D), as wide as the values, and of the dtype of ``query``.
        value: (B, K, L, D)
        call: Blocks and masks.

    Returns:
        (B, L, H, D)
    """
    output: torch.Tensor = _Blockwise.apply(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), call)
    return output


class _Blockwise(torch.autograd.Function):
    """Queries (B, L, H, D) over keys and values (B, L, K, D)."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, call: Call) -> torch.Tensor:
        batch, length = query.shape[:2]
        blocks = _Blocks(query, call.layout)
        keys, values = (Gathered(tokens, call.layout, call.extra) for tokens in (key, value))
        output, logs = torch.empty_like(query, memory_format=torch.contiguous_format), []
        for piece, hidden in call.pieces(batch, length):
            parts = blocks.of(piece), _by_head(keys.of(piece)), _by_head(values.of(piece))
            found, log = _attend(*parts, hidden, call.scaling)
            blocks.put(output, piece, found)
            logs.append(log)
        if call.rows is not None:
            found, log = _attend(*_first(query, key, value, call.rows), call.rows, call.scaling)
            output[:, : call.rows.shape[2]] = found.transpose(1, 2)
            logs.append(log)
        ctx.call = call
        ctx.save_for_backward(query, key, value, *([] if call.by_products else [output, *logs]))
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, *kept = ctx.saved_tensors
        call: Call = ctx.call
        batch, length = query.shape[:2]
        num_replaced = 0 if call.rows is None else call.rows.shape[2]
        (gradient,) = outer
        first = gradient[:, :num_replaced].transpose(1, 2)
        if num_replaced:  # the outputs of their blocks are not used
            gradient = gradient.clone()
            gradient[:, :num_replaced] = 0
        blocks, upstream = _Blocks(query, call.layout), _Blocks(gradient, call.layout)
        output = _Blocks(kept[0], call.layout) if kept else None
        keys, values = (Gathered(tokens, call.layout, call.extra) for tokens in (key, value))
        by_query = torch.empty_like(query, memory_format=torch.contiguous_format)
        by_key, by_value = (SpanSums(one, one.shape, call.layout, call.extra) for one in (key, value))
        for number, (piece, hidden) in enumerate(call.pieces(batch, length)):
            parts = blocks.of(piece), _by_head(keys.of(piece)), _by_head(values.of(piece))
            past = None if output is None else (output.of(piece), kept[1 + number])
            found = _gradients(upstream.of(piece), *parts, hidden=hidden, past=past, scaling=call.scaling)
            blocks.put(by_query, piece, found[0])
            by_key.add(piece, found[1].transpose(1, 2))
            by_value.add(piece, found[2].transpose(1, 2))
        totals = by_key.total(), by_value.total()
        if call.rows is not None:
            parts = _first(query, key, value, call.rows)
            past = None if output is None else (kept[0][:, :num_replaced].transpose(1, 2), kept[-1])
            found = _gradients(first, *parts, hidden=call.rows, past=past, scaling=call.scaling)
            by_query[:, :num_replaced] = found[0].transpose(1, 2)
            for total, part in zip(totals, found[1:], strict=True):
                total += part.transpose(1, 2)
        return by_query, *totals, None


class _Blocks:
    """Queries, or what belongs to them, cut into blocks."""

    def __init__(self, tokens: torch.Tensor, layout: Layout) -> None:
        """Take (B, L, H, D)."""
        self.length, self.block = tokens.shape[1], layout.block
        num_blocks = layout.num_blocks(self.length)
        tail = num_blocks * self.block - self.length
        padded = F.pad(tokens, (0, 0, 0, 0, 0, tail)) if tail else tokens
        self.blocks = padded.unflatten(1, (num_blocks, self.block))  # (B, N, Q, H, D)

    def of(self, piece: Piece) -> torch.Tensor:
        """Return (n, H, Q, D)."""
        rows, first, count = piece
        return _by_head(self.blocks[rows, first : first + count].flatten(0, 1))

    def put(self, total: torch.Tensor, piece: Piece, values: torch.Tensor) -> None:
        """Write ``values`` (n, H, Q, D) to their places in ``total`` (B, L, H, D)."""
        rows, first, count = piece
        start, stop = first * self.block, min((first + count) * self.block, self.length)
        by_token = values.transpose(1, 2).unflatten(0, (-1, count)).flatten(1, 2)  # (b, count·Q, H, D)
        total[rows, start:stop] = by_token[:, : stop - start]


def _by_head(tokens: torch.Tensor) -> torch.Tensor:
    """Return (n, H, L, D) of (n, L, H, D)."""
    return tokens.transpose(1, 2)


def _first(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the global queries (B, H, G, D), and all keys and values (B, K, L, D)."""
    return _by_head(query[:, : rows.shape[2]]), _by_head(key), _by_head(value)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, hidden: torch.Tensor, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return output (n, H, Q, D) and log-sum-exp (n, H, Q)."""
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, 1) if groups > 1 else part for part in (key, value))
    output, log = KERNEL(query, key, value, dropout_p=0.0, is_causal=False, attn_mask=hidden, scale=scaling)
    return output, log


def _gradients(
    upstream: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    hidden: torch.Tensor,
    past: tuple[torch.Tensor, torch.Tensor] | None,
    scaling: float,
) -> list[torch.Tensor]:
    """Return the gradients of query, key and value.

    Args:
        upstream: (n, H, Q, D)
        query: (n, H, Q, D)
        key: (n, K, S, D)
        value: (n, K, S, D)
        hidden: (n, 1 or H, Q, S)
        past: What ``_attend`` returned; None for products.
        scaling: Factor of the scores.
    """
    if past is None:
        return product_gradients(upstream, query, key, value=value, mask=hidden, scaling=scaling)
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, 1) if groups > 1 else part for part in (key, value))
    parts = upstream, query, key, value, *past
    by_query, *others = KERNEL_BACKWARD(*parts, 0.0, False, attn_mask=hidden, scale=scaling)
    return [by_query, *(one.unflatten(1, (-1, groups)).sum(2) if groups > 1 else one for one in others)]
