"""Biases that a model adds to attention scores, looked up only for the pairs that a kernel computes, never L × L.

Shape legend: as in ``blocks``; b is 1 or B, h is 1 or H, n is 1 or the blocks of a piece, R entries of a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """A table of biases, and a function from pairs of tokens to its entries."""

    table: torch.Tensor
    """(b, h, R)."""
    entry: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """Maps query and key indices that broadcast to indices into R."""
    shifts: bool = False
    """Whether the entry depends on the distance only, so that the spans of all blocks have the same entries."""

    @classmethod
    def of_pairs(cls, pairs: torch.Tensor) -> "Bias":
        """Create it from a tensor (b, h, queries, keys)."""
        width = pairs.shape[-1]
        return cls(pairs.flatten(2), lambda query, key: query * width + key)

    @classmethod
    def of_distances(cls, values: torch.Tensor) -> "Bias":
        """Create it from values (1, H, 2·L − 1) for key − query from 1 − L to L − 1."""
        zero = values.shape[-1] // 2
        return cls(values, lambda query, key: key - query + zero, shifts=True)

    def in_fp32(self) -> "Bias":
        """Return the same bias in fp32."""
        return replace(self, table=self.table.float())

    def sorted_by(self, tokens: torch.Tensor) -> "Bias":
        """Return the bias for tokens in another order: index p stands for token ``tokens[p]``, (P,)."""
        return Bias(self.table, lambda query, key: self.entry(tokens[query], tokens[key]))

    def of_heads(self, heads: slice) -> "Bias":
        """Return the bias of some of the heads."""
        return self if self.table.shape[1] == 1 else replace(self, table=self.table[:, heads])

    def everywhere(self, queries: int, keys: int) -> "Places":
        """Look up all pairs of the first ``queries`` and the first ``keys`` tokens."""
        device = self.table.device
        pairs = self.entry(torch.arange(queries, device=device)[:, None], torch.arange(keys, device=device))
        return Places(slice(None), 1, (pairs[None, None],))

    def of_blocks(
        self, query: torch.Tensor, lead: Sequence[torch.Tensor], span: torch.Tensor, *, rows: slice, length: int
    ) -> "Places":
        """Look up the pairs of one kernel call.

        Args:
            query: (1, n, Q) query tokens of its blocks.
            lead: (b, n, S) tokens whose keys come before the span, one tensor per kind.
            span: (1, n, S) consecutive tokens around each block.
            rows: Windows of the call.
            length: Tokens of a window (L); later indices are masked, and looked up at the last token.
        """
        near = query[:, :1], span[:, :1]  # of the first block, (1, 1, Q) and (1, 1, S)
        entries = [
            *(self._inside(query, key, length) for key in lead),
            self.entry(near[0][..., None], near[1][:, :, None]) if self.shifts else self._inside(query, span, length),
        ]
        return Places(rows, query.shape[1], tuple(own.clamp(0, self.table.shape[-1] - 1) for own in entries))

    def _inside(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Return (b, n, Q, S): entries of queries (1, n, Q) with keys (b, n, S), with indices clamped to the window."""
        return self.entry(query[..., None].clamp(max=length - 1), key[:, :, None].clamp(0, length - 1))


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The table indices of the biases of one kernel call."""

    rows: slice
    """Windows of the call."""
    count: int
    """Blocks of each of these windows."""
    entries: Sequence[torch.Tensor]
    """(b, n, Q, ...) each: of global keys, extra keys, span; concatenated they are the S keys of a block."""

    @property
    def blocks(self) -> int:
        """Return the number of blocks of all windows of the call."""
        blocks: int = (self.rows.stop - self.rows.start) * self.count
        return blocks

    def added_to(self, hidden: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        """Return (B·N, H, Q, S): the sum of ``hidden`` (B·N, h, Q, S), 0 or −inf, and the biases."""
        own, start = self._of_rows(table), 0  # (b, h, R)
        windows = hidden.unflatten(0, (-1, self.count))  # (B, N, h, Q, S)
        rows, heads = max(len(windows), len(own)), max(windows.shape[2], own.shape[1])
        windows = windows.expand(rows, -1, heads, -1, -1).to(torch.promote_types(hidden.dtype, table.dtype))
        windows = windows.clone(memory_format=torch.contiguous_format)
        for entries in self.entries:
            windows[..., start : start + entries.shape[-1]] += _look_up(own, entries)
            start += entries.shape[-1]
        added: torch.Tensor = windows.flatten(0, 1)
        return added

    def gradient(self, gradient: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the table, given that of the biases (B·N, H, Q, S)."""
        total = torch.zeros_like(table, dtype=gradient.dtype)
        windows, start = gradient.unflatten(0, (-1, self.count)), 0
        for entries in self.entries:
            _add_up(self._of_rows(total), entries, windows[..., start : start + entries.shape[-1]])
            start += entries.shape[-1]
        return total.to(table.dtype)

    def _of_rows(self, table: torch.Tensor) -> torch.Tensor:
        return table if len(table) == 1 else table[self.rows]


def _look_up(table: torch.Tensor, entries: torch.Tensor) -> torch.Tensor:
    """Return (b, n, h, Q, S): a table (b, h, R) at ``entries`` (b, n, Q, S)."""
    rows = range(max(len(table), len(entries)))
    found = [table[row % len(table)].index_select(1, entries[row % len(entries)].flatten()) for row in rows]
    biases: torch.Tensor = torch.stack(found).unflatten(2, entries.shape[1:]).transpose(1, 2)
    return biases


def _add_up(total: torch.Tensor, entries: torch.Tensor, gradient: torch.Tensor) -> None:
    """Add ``gradient`` (B, N, H, Q, S) to ``total`` (b, h, R) in place: the backward pass of ``_look_up``."""
    shared = (len(total) == len(entries) == 1, entries.shape[1] == 1, total.shape[1] == 1)
    for axis in (axis for axis, alike in enumerate(shared) if alike):
        gradient = gradient.sum(axis, keepdim=True)  # many pairs share few entries: sum over pairs first
    for row, own in enumerate(gradient.transpose(1, 2).flatten(2)):
        index = entries[row % len(entries)].flatten().expand(len(own), -1)
        total[row % len(total)].scatter_add_(1, index, own)


class _Added(torch.autograd.Function):
    """``Places.added_to`` with the gradient of the table."""

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, hidden: torch.Tensor, places: Places) -> torch.Tensor:
        ctx.save_for_backward(table)
        ctx.places = places
        return places.added_to(hidden, table)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return ctx.places.gradient(gradients[0], ctx.saved_tensors[0]), None, None


class _Biased(torch.autograd.Function):
    """The library's kernel with a bias that is looked up again in the backward pass.

    Without this, the bias of every layer would be saved, and a bias with a gradient would disable the fast kernel.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        table: torch.Tensor,
        hidden: torch.Tensor,
        places: Places,
        scaling: float,
    ) -> torch.Tensor:
        bias = places.added_to(hidden, table).to(query.dtype)  # (B·N, H, Q, S)
        output = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scaling)
        ctx.save_for_backward(query, key, value, table, output)
        ctx.hidden, ctx.places, ctx.scaling = hidden, places, scaling
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        with torch.autocast(gradients[0].device.type, enabled=False):
            query, key, value, table, output = ctx.saved_tensors
            types = query.dtype, key.dtype, value.dtype
            query, key, value, output, upstream = (
                part.float() if part.dtype.itemsize < 4 else part for part in (query, key, value, output, gradients[0])
            )
            # Softmax weights again, then the closed gradient of softmax attention (as in FlashAttention).
            scores = ctx.places.added_to(ctx.hidden, table).to(query.dtype)  # (B·N, H, Q, S)
            weights = torch.matmul(query * ctx.scaling, key.transpose(2, 3)).add_(scores).softmax(-1)
            to_value = torch.matmul(weights.transpose(2, 3), upstream)
            to_scores = torch.matmul(upstream, value.transpose(2, 3))
            to_scores = to_scores.sub_((upstream * output).sum(-1, keepdim=True)).mul_(weights)
            to_table = ctx.places.gradient(to_scores, table) if ctx.needs_input_grad[3] else None
            to_query = torch.matmul(to_scores, key).mul_(ctx.scaling)
            to_key = torch.matmul(to_scores.transpose(2, 3), query).mul_(ctx.scaling)
        found = (part.to(dtype) for part, dtype in zip((to_query, to_key, to_value), types, strict=True))
        return (*found, to_table, None, None, None)


def biased_sdpa(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: Bias,
    places: Places,
    hidden: torch.Tensor,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
) -> torch.Tensor:
    """Compute attention as ``sdpa`` does, with biases added to the scores.

    Args:
        query: (n, H, queries, D)
        key: (n, K, keys, D)
        value: (n, K, keys, D)
        bias: Table of biases.
        places: Its entries for the pairs of this call.
        hidden: (n, h, queries, keys), 0 or −inf.
        dropout: Fraction of weights to drop.
        scaling: Factor of the scores; None for D ** −0.5.

    Returns:
        (n, H, queries, D)
    """
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, 1) if groups > 1 else part for part in (key, value))
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    if dropout:
        added = add(bias, places, hidden).to(query.dtype)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=added, dropout_p=dropout, scale=scaling)
    output: torch.Tensor = _Biased.apply(query, key, value, bias.table, hidden, places, scaling)
    return output


def add(bias: Bias, places: Places, hidden: torch.Tensor) -> torch.Tensor:
    """Return (B·N, H, Q, S): the sum of ``hidden`` (B·N, h, Q, S) and the biases, with gradient."""
    added: torch.Tensor = _Added.apply(bias.table, hidden, places)
    return added
