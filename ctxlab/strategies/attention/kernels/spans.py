"""The keys of each block of queries: how many, which, gathered, and their gradients added up again.

Shape legend: B windows, K key heads, L tokens, D head width, N blocks of a window, Q tokens of a block, G global
tokens, E extra keys of a block, S = G + E + left + Q + right keys that a block sees, n blocks and b windows of a piece.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

TOKENS_PER_CALL = 2048
"""Queries of one kernel call, so that spans fit the CPU cache and the allocator reuses their memory: in one piece,
16,384 tokens took 1.4 times as long per token as 2,048 (fp32, measured on a CPU)."""

Piece = tuple[slice, int, int]
"""Windows, first block and number of blocks of a kernel call."""


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

    def pieces(self, batch: int, length: int) -> list[Piece]:
        """Return windows, first block and number of blocks of each kernel call, in the order of (B, N)."""
        num_blocks, most = self.num_blocks(length), max(1, TOKENS_PER_CALL // self.block)
        if num_blocks > most:
            firsts = range(0, num_blocks, most)
            return [(slice(b, b + 1), i, min(most, num_blocks - i)) for b in range(batch) for i in firsts]
        rows = most // num_blocks
        return [(slice(b, min(b + rows, batch)), 0, num_blocks) for b in range(0, batch, rows)]


class Spans(torch.autograd.Function):
    """Gathers the keys (or values) of each block: (B, L, K, D) to pieces (n, S, K, D) whose n add up to B·N."""

    @staticmethod
    def forward(
        ctx: Any, tokens: torch.Tensor, layout: Layout, extra: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        """Copy global keys, extra keys and the span of each block."""
        ctx.layout, ctx.shape, ctx.extra = layout, tokens.shape, extra
        gathered = Gathered(tokens, layout, extra)
        return tuple(gathered.of(piece) for piece in layout.pieces(*tokens.shape[:2]))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Sum the gradients of the blocks for each token."""
        sums = SpanSums(gradients[0], ctx.shape, ctx.layout, ctx.extra)
        for piece, gradient in zip(ctx.layout.pieces(*ctx.shape[:2]), gradients, strict=True):
            sums.add(piece, gradient)
        return sums.total(), None, None


class Gathered:
    """The keys (or values) of blocks, copied where they are asked for."""

    def __init__(self, tokens: torch.Tensor, layout: Layout, extra: torch.Tensor | None) -> None:
        """Take (B, L, K, D) tokens, and (1 or B, 1 or N, E) indices of extra keys."""
        self.tokens, self.layout, self.extra = tokens, layout, extra
        tail = layout.num_blocks(tokens.shape[1]) * layout.block - tokens.shape[1]
        # (B, left + N·Q + right, K, D)
        self.padded = F.pad(tokens, (0, 0, 0, 0, layout.left, tail + layout.right))

    def of(self, piece: Piece) -> torch.Tensor:
        """Return (n, S, K, D): global keys, extra keys and the span of each block."""
        rows, first, count = piece
        layout, num_global = self.layout, self.layout.num_global
        tokens = self.tokens[rows]
        spans = tokens.new_empty(len(tokens), count, layout.keys, *tokens.shape[2:])  # (b, count, S, K, D)
        spans[:, :, :num_global] = tokens[:, None, :num_global]
        if self.extra is not None:
            spans[:, :, num_global : layout.lead] = _pick(tokens, of_piece(self.extra, piece))
        spans[:, :, layout.lead :] = strided(
            self.padded[rows], layout, first=first, count=count, start=0, size=layout.keys - layout.lead
        )
        return spans.flatten(0, 1)


class SpanSums:
    """The gradient of tokens (B, L, K, D), added up from those of the spans that hold them.

    One shifted slice per block width is added, instead of scattering by index, which makes the backward pass of
    ``unfold`` slow.
    """

    def __init__(self, like: torch.Tensor, shape: torch.Size, layout: Layout, extra: torch.Tensor | None) -> None:
        """Begin with zeros.

        Args:
            like: A tensor of the same dtype and device.
            shape: (B, L, K, D)
            layout: Sizes of the blocks.
            extra: (1 or B, 1 or N, E) token indices of the extra keys; None for none.
        """
        self.layout, self.extra = layout, extra
        batch, length, heads, width = shape
        padding = layout.left + layout.right
        self.padded = like.new_zeros(batch, layout.num_blocks(length) * layout.block + padding, heads, width)
        self.inside = self.padded[:, layout.left : layout.left + length]  # (B, L, K, D), a view
        self.shared = like.new_zeros(batch, layout.num_global, heads, width)

    def add(self, piece: Piece, gradient: torch.Tensor) -> None:
        """Add the gradient of a piece, (n, S, K, D)."""
        rows, first, count = piece
        layout, lead = self.layout, self.layout.lead
        spans = gradient.unflatten(0, (-1, count))  # (b, count, S, K, D)
        self.shared[rows] += spans[:, :, : layout.num_global].sum(1)
        if self.extra is not None:
            _add_picked(self.inside[rows], of_piece(self.extra, piece), spans[:, :, layout.num_global : lead])
        for start in range(0, layout.keys - lead, layout.block):
            size = min(layout.block, layout.keys - lead - start)
            target = strided(self.padded[rows], layout, first=first, count=count, start=start, size=size)
            target.add_(spans[:, :, lead + start : lead + start + size])

    def total(self) -> torch.Tensor:
        """Return (B, L, K, D), once."""
        self.inside[:, : self.layout.num_global] += self.shared
        return self.inside


def of_piece(extra: torch.Tensor, piece: Piece) -> torch.Tensor:
    """Return (1 or b, 1 or count, E): the extra indices of a piece; absent ones (−1) read the first token."""
    rows, first, count = piece
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
