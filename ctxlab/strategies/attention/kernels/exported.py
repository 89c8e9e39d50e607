"""Blocked attention in a form that can be exported: no branch on data, indices instead of views, arithmetic masks.

The kernels of ``blocks`` choose their way by the sizes and masks of a batch, and read overlapping spans through strided
views. A graph that serves every length cannot: here every block gathers its queries and keys by index, whatever the
length, and a mask of 0 and ``HIDDEN`` is added to the scores. Only inference, in fp32.

Shape legend: B windows, b is 1 or B, H query heads, K key heads, L tokens, D head width, N blocks, Q queries of a
block, S keys of a block, G global tokens, E extra keys.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.spans import Layout

HIDDEN = -1e9
"""Added to the scores of pairs that do not attend: their weight is exactly 0, and a row without any key is no NaN."""

ABSENT = -1
"""Index of a key that a block does not have."""

Allowed = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Maps query indices and key indices that broadcast to (b, N, Q, S) to bool."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Which tokens each block has; indices of L or more are past the end."""

    query: torch.Tensor
    """(N, Q) tokens."""
    key: torch.Tensor
    """(b, N, S) tokens, each at most once in a block; negative where there is none."""
    back: torch.Tensor
    """(L,) for each token its place among the N · Q queries."""
    by_window: bool = False
    """Whether windows differ in their keys; said, as an export cannot ask whether b is 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Exportable:
    """What a part computes for all heads, or for one half of them."""

    blocks: Blocks
    allowed: Allowed
    num_global: int = 0
    """First tokens whose queries are computed over all keys."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An ``Exportable`` with the mask of a batch."""

    blocks: Blocks
    hidden: torch.Tensor
    """(B or 1, N, 1, Q, S): 0 or ``HIDDEN``."""
    num_global: int
    rows: torch.Tensor | None
    """(B or 1, 1, G, L): 0 or ``HIDDEN``, of the global queries; None without any."""


@dataclass(frozen=True, slots=True, eq=False)
class ExportedPlans:
    """What the mask interface passes to the attention interface while a model is exported."""

    plans: tuple[Prepared, ...]
    """One for all heads, or one for each half of them."""


def ceiling(length: int, block: int) -> int:
    """Return length / block, rounded up; without negative numbers, whose remainders an export cannot resolve."""
    return (length + block - 1) // block


def spans(length: int, layout: Layout, extra: torch.Tensor | None = None, *, by_window: bool = False) -> Blocks:
    """Return consecutive blocks with the keys of ``layout``.

    Args:
        length: Tokens of the batch's windows (L), perhaps symbolic.
        layout: Sizes of a block.
        extra: (b, N, E) tokens of the layout's extra keys; negative where a block has fewer.
        by_window: Whether windows differ in their extra keys, so that b is B.
    """
    num_blocks = ceiling(length, layout.block)
    start = torch.arange(num_blocks)[:, None] * layout.block  # (N, 1)
    query = start + torch.arange(layout.block)
    span = start + torch.arange(-layout.left, layout.block + layout.right)
    near = torch.where(span < layout.num_global, ABSENT, span)  # global keys come first, once
    parts = [torch.arange(layout.num_global)[None].expand(num_blocks, -1)] if layout.num_global else []
    parts.append(near)
    key = torch.cat(parts, 1)[None]  # (1, N, G + span)
    if extra is not None:
        twice = (extra >= span[:, :1]) & (extra <= span[:, -1:]) | (extra < layout.num_global)
        picked = torch.where(twice, ABSENT, extra)  # (b, N, E)
        key = torch.cat([key.expand(picked.shape[0], -1, -1), picked], 2)
    return Blocks(query, key, torch.arange(length), by_window=by_window)


def remainders(length: int, step: int, layout: Layout) -> Blocks:
    """Return blocks of tokens with the same remainder modulo ``step``, consecutive within each, as ``layout`` says.

    Args:
        length: Tokens of the batch's windows (L), perhaps symbolic.
        step: Distance of neighbours of one sequence.
        layout: Sizes of a block, in tokens of one sequence.
    """
    places = ceiling(length, step)  # of the longest sequence
    per_sequence = ceiling(places, layout.block)
    first = torch.arange(step)[:, None, None]  # (step, 1, 1)
    start = torch.arange(per_sequence)[None, :, None] * layout.block  # (1, n, 1)
    query = (start + torch.arange(layout.block)) * step + first
    span = start + torch.arange(-layout.left, layout.block + layout.right)
    near = torch.where(span < 0, ABSENT, span * step + first)
    near = torch.where(near < layout.num_global, ABSENT, near).flatten(0, 1)  # (step · n, span)
    parts = [torch.arange(layout.num_global)[None].expand(near.shape[0], -1)] if layout.num_global else []
    tokens = torch.arange(length)
    back = (tokens % step) * (per_sequence * layout.block) + tokens // step
    return Blocks(query.flatten(0, 1), torch.cat([*parts, near], 1)[None], back)


def columns(length: int, step: int) -> Blocks:
    """Return one block for each remainder modulo ``step``, whose tokens see one another.

    Args:
        length: Tokens of the batch's windows (L), perhaps symbolic.
        step: Number of blocks.
    """
    places = ceiling(length, step) + 1  # (Q), which is S too; never 1, so that no export asks whether it is
    query = torch.arange(places)[None] * step + torch.arange(step)[:, None]  # (step, Q)
    tokens = torch.arange(length)
    return Blocks(query, query[None], (tokens % step) * places + tokens // step)


def lengths_of(library: LibraryMask) -> torch.Tensor:
    """Return (B, 1, 1, 1): the tokens of each document up to its last one before padding."""
    end = torch.arange(1, library.num_keys + 1)
    if library.padding is None:
        return end[-1:].view(1, 1, 1, 1).expand(library.batch_size, -1, -1, -1)
    return (library.padding * end).amax(1).clamp(min=1).view(-1, 1, 1, 1)


def prepare(library: LibraryMask, plans: Sequence[Exportable]) -> ExportedPlans:
    """Build the masks of a batch, once per forward pass.

    Args:
        library: What the model itself allows.
        plans: One for all heads, or one for each half of them.
    """
    if not library.vectorised:
        raise NotImplementedError("the model gives a mask function that may not broadcast")
    return ExportedPlans(tuple(_prepare(library, plan) for plan in plans))


def _prepare(library: LibraryMask, plan: Exportable) -> Prepared:
    blocks, length = plan.blocks, library.num_keys
    query, key = blocks.query[None, :, :, None], blocks.key[:, :, None, :]  # (1, N, Q, 1), (b, N, 1, S)
    hidden = _hidden(library, plan.allowed, query, key).unsqueeze(2)
    if not plan.num_global:
        return Prepared(blocks, hidden, 0, None)
    first = torch.arange(plan.num_global).view(1, 1, -1, 1)
    rows = _hidden(library, plan.allowed, first, torch.arange(length).view(1, 1, 1, -1))
    return Prepared(blocks, hidden, plan.num_global, rows)


def _hidden(library: LibraryMask, allowed: Allowed, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Return 0 where a query sees a key, else ``HIDDEN``: (B or 1, N, Q, S) of indices that broadcast to it."""
    length = library.num_keys
    inside = (key >= 0) & (key < length)
    one, other = query.clamp(max=length - 1), key.clamp(min=0).clamp(max=length - 1)
    window = torch.arange(library.batch_size).view(-1, 1, 1, 1)
    seen = inside & allowed(one, other) & library.function(window, torch.zeros((), dtype=torch.long), one, other)
    hidden: torch.Tensor = (1.0 - seen.to(torch.float32)) * HIDDEN
    return hidden


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, plans: ExportedPlans, scaling: float | None
) -> torch.Tensor:
    """Compute attention.

    Args:
        query: (B, H, L, D); H is a multiple of K.
        key: (B, K, L, D)
        value: (B, K, L, D)
        plans: With two, the first H // 2 query heads follow the first one.
        scaling: Factor of the scores; None for D ** −0.5.

    Returns:
        (B, L, H, D)
    """
    heads, groups = query.shape[1], query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    cuts = [slice(0, heads)] if len(plans.plans) == 1 else [slice(0, heads // 2), slice(heads // 2, heads)]
    found = [
        _attend(query[:, cut], key[:, cut], value[:, cut], plan=plan, scaling=scaling)
        for cut, plan in zip(cuts, plans.plans, strict=True)
    ]
    return found[0] if len(found) == 1 else torch.cat(found, dim=2)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, plan: Prepared, scaling: float | None
) -> torch.Tensor:
    """Compute one plan for its heads: (B, H, L, D) to (B, L, H, D)."""
    batch, _, length, _ = query.shape
    blocks = plan.blocks
    chosen = blocks.query.clamp(max=length - 1)
    own = query.transpose(1, 2).index_select(1, chosen.flatten()).unflatten(1, chosen.shape)  # (B, N, Q, H, D)
    gathered = [own, *(_gather(tokens.transpose(1, 2), blocks) for tokens in (key, value))]  # (B, N, S, H, D)
    q, k, v = (tokens.flatten(0, 1).transpose(1, 2) for tokens in gathered)  # (B · N, H, Q or S, D)
    hidden = plan.hidden.expand(batch, -1, -1, -1, -1).flatten(0, 1)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=hidden, scale=scaling).transpose(1, 2)
    found: torch.Tensor = mixed.unflatten(0, (batch, -1)).flatten(1, 2).index_select(1, blocks.back)  # (B, L, H, D)
    if plan.rows is None:
        return found
    first = torch.arange(plan.num_global).clamp(max=length - 1)
    rows = F.scaled_dot_product_attention(
        query.index_select(2, first), key, value, attn_mask=plan.rows.expand(batch, -1, -1, -1), scale=scaling
    ).transpose(1, 2)  # (B, G, H, D)
    tokens = torch.arange(length)
    spread = rows.index_select(1, tokens.clamp(max=plan.num_global - 1))
    return torch.where((tokens < plan.num_global).view(1, -1, 1, 1), spread, found)


def _gather(tokens: torch.Tensor, blocks: Blocks) -> torch.Tensor:
    """Return (B, N, S, H, D): the keys or values (B, L, H, D) of each block; absent ones read some token."""
    (batch, length), index = tokens.shape[:2], blocks.key
    inside = index.clamp(min=0).clamp(max=length - 1)
    gathered: torch.Tensor
    if not blocks.by_window:
        gathered = tokens.index_select(1, inside.flatten()).unflatten(1, index.shape[1:])
    else:
        flat = inside + torch.arange(batch).view(-1, 1, 1) * length
        gathered = tokens.flatten(0, 1).index_select(0, flat.flatten()).unflatten(0, index.shape)
    return gathered
