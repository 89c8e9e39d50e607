"""From a declared pattern and the library's own mask to the mask that a kernel takes.

Causality, padding, packed documents and a model's own sliding window reach us as the library's ``mask_function`` on
(window, head, query, key) indices. It is evaluated only at the pairs that a block computes, never on L × L.

Shape legend: as in ``blocks``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers.masking_utils import (  # type: ignore[attr-defined]
    TransformGetItemToIndex,
    and_masks,
    bidirectional_mask_function,
    causal_mask_function,
    padding_mask_function,
    prepare_padding_mask,
)

from ctxlab.core.strategy import Pattern
from ctxlab.strategies.attention.kernels.blocks import BlockMask, Layout


@dataclass(frozen=True, slots=True, eq=False)
class DenseMask:
    """A mask over all pairs, where blocks would not be cheaper or do not apply (queries read a cache)."""

    pairs: torch.Tensor | None
    """(B, 1, queries, keys) bool; None where every pair is allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class LibraryMask:
    """What the model itself allows, by index."""

    batch_size: int
    num_queries: int
    num_keys: int
    query_offset: int
    key_offset: int
    function: Callable[..., Any]
    vectorised: bool
    """Whether ``function`` takes index tensors that broadcast; the library marks those that may not."""
    device: torch.device
    padding: torch.Tensor | None = None
    """(B, keys) bool: which keys are real tokens; None where all are."""

    def lengths(self) -> list[int]:
        """Tokens of each document up to its last real one; a single figure where all are alike."""
        end = self.num_keys + self.key_offset
        if self.padding is None or self.num_queries != self.num_keys:
            return [end]
        last = (self.padding[:, :end] * torch.arange(1, end + 1, device=self.device)).amax(1).clamp(min=1)
        lengths: list[int] = last.tolist()
        return lengths if len(set(lengths)) > 1 else lengths[:1]

    def row(self, index: int) -> "LibraryMask":
        """The mask of one window alone."""

        def function(window: Any, head: Any, query: Any, key: Any) -> Any:
            return self.function(window + index, head, query, key)

        return replace(self, batch_size=1, function=function)

    def at(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """(B or 1, ...) bool for absolute index tensors that broadcast against each other to (...)."""
        shape = torch.broadcast_shapes(query.shape, key.shape)
        head = torch.zeros((), dtype=torch.long, device=self.device)
        window = torch.arange(self.batch_size, device=self.device).view(-1, *[1] * len(shape))
        query, key = query[None], key[None]
        if self.vectorised:
            result: torch.Tensor = self.function(window, head, query, key)
            return result.expand(result.shape[0] if result.ndim else 1, *shape)
        index = [part.flatten() for part in torch.broadcast_tensors(window, query, key)]
        with TransformGetItemToIndex():
            flat = torch.vmap(self.function, in_dims=(0, None, 0, 0))(index[0], head, index[1], index[2])
        return torch.as_tensor(flat).view(self.batch_size, *shape)


def library_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: Any = 0,
    kv_offset: int = 0,
    mask_function: Callable[..., Any] = bidirectional_mask_function,
    attention_mask: torch.Tensor | None = None,
    use_vmap: bool = False,
    device: Any = "cpu",
    **_: Any,
) -> LibraryMask:
    """The arguments of a function in the library's mask interface, with the padding put into the mask."""
    padding = prepare_padding_mask(attention_mask, kv_length, kv_offset)
    padding = padding.bool() if padding is not None else None
    function = and_masks(mask_function, padding_mask_function(padding)) if padding is not None else mask_function
    return LibraryMask(
        batch_size, q_length, kv_length, int(q_offset), kv_offset, function, not use_vmap, torch.device(device), padding
    )


def from_tensor(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, causal: bool) -> LibraryMask:
    """The mask of a model that handed over none, or a ready one (B or 1, 1, queries, keys) of bool."""
    sizes = (query.shape[0], query.shape[2], key.shape[2], key.shape[2] - query.shape[2])
    if mask is None:
        plain: Callable[..., Any] = causal_mask_function if causal else bidirectional_mask_function
        return library_mask(*sizes, mask_function=plain, device=query.device)
    offset = sizes[-1]

    def look_up(window: Any, head: Any, query_index: Any, key_index: Any) -> torch.Tensor:
        return mask[window if mask.shape[0] > 1 else 0, 0, query_index - offset, key_index]

    return library_mask(*sizes, mask_function=look_up, device=query.device)


def build(
    library: LibraryMask,
    allowed: Pattern,
    layout: Layout,
    extra: torch.Tensor | None = None,
    lengths: Sequence[int] = (),
    *,
    fill: bool = True,
) -> BlockMask | DenseMask:
    """The mask for a kernel that computes the pairs of ``layout``, or all of them where that is cheaper.

    Args:
        library: What the model itself allows.
        allowed: The declared pattern.
        layout: Which keys the kernel gives to each block.
        extra: (1 or B, 1 or N, E) token indices of the layout's extra keys; negative where a block has fewer.
        lengths: Tokens of each document, or of all, where the pattern depends on it; else that of the batch is taken.
        fill: Whether a query that sees nothing is made to see itself in its block.
    """
    extra = extra if extra is None else extra.to(library.device)
    rows = _apart(library, allowed, extra, lengths)
    if library.num_queries != library.num_keys or library.num_keys <= layout.keys:
        pairs = torch.cat([_dense(one, pattern) for one, pattern, _ in rows])
        return DenseMask(None if bool(pairs.all()) else pairs[:, None])
    local = torch.cat([_local(one, pattern, layout, own, fill=fill) for one, pattern, own in rows])
    first = _rows(rows, layout.num_global, library.batch_size) if layout.num_global else None
    return _trim(layout, local, first, library.batch_size, extra)


Row = tuple[LibraryMask, Pattern, torch.Tensor | None]
"""One window, or all: what the model allows, the declared pattern, and the extra keys (1 or N, E)."""


def _apart(library: LibraryMask, allowed: Pattern, extra: torch.Tensor | None, lengths: Sequence[int]) -> list[Row]:
    """All windows together, or each alone with the pattern and the extra keys for its own length."""

    def fixed(length: int) -> Pattern:
        return lambda query, key, _: allowed(query, key, length)

    if len(lengths) <= 1:
        return [(library, fixed(lengths[0]) if lengths else allowed, None if extra is None else extra[0])]
    keys = [None] * len(lengths) if extra is None else extra.expand(len(lengths), -1, -1)
    return [(library.row(i), fixed(length), keys[i]) for i, length in enumerate(lengths)]


def _dense(library: LibraryMask, allowed: Pattern) -> torch.Tensor:
    """(B or 1, queries, keys)."""
    query = torch.arange(library.num_queries, device=library.device)[:, None] + library.query_offset
    key = torch.arange(library.num_keys, device=library.device)[None] + library.key_offset
    pairs = allowed(query, key, library.num_keys + library.key_offset) & library.at(query, key)
    return never_empty(pairs, query == key)


def _local(
    library: LibraryMask, allowed: Pattern, layout: Layout, extra: torch.Tensor | None, *, fill: bool
) -> torch.Tensor:
    """(B or 1, N, Q, S): each key in one place only, global ones before extra ones (1 or N, E) before the span."""
    length, device = library.num_keys, library.device
    blocks = torch.arange(layout.num_blocks(length), device=device)[:, None] * layout.block
    query = (blocks + torch.arange(layout.block, device=device))[:, :, None]
    span = blocks + torch.arange(-layout.left, layout.block + layout.right, device=device)
    first = torch.arange(layout.num_global, device=device).expand(len(blocks), -1)
    picked = first[:, :0] if extra is None else extra.expand(len(blocks), -1)
    twice = (picked >= span[:, :1]) & (picked <= span[:, -1:]) | (picked < layout.num_global) | (picked >= length)
    key = torch.cat([first, picked, span], dim=1)[:, None, :]
    shared = torch.zeros_like(first, dtype=torch.bool)
    hidden = torch.cat([shared, twice, (span < layout.num_global) | (span >= length)], dim=1)[:, None, :]
    # Positions past the document are hidden, but are looked up all the same: keep the index valid.
    inside_query, inside_key = query.clamp(max=length - 1), key.clamp(0, length - 1)
    seen = allowed(inside_query, inside_key, length) & library.at(inside_query, inside_key) & ~hidden
    if not fill:
        return seen
    elsewhere = torch.cat([shared, torch.ones_like(twice), span < layout.num_global], dim=1)[:, None, :]
    return never_empty(seen, (query == key) & ~elsewhere)


def _rows(windows: Sequence[Row], num_global: int, batch_size: int) -> torch.Tensor | None:
    """(B, 1, G, L), or None where the global queries see no key beyond the global ones."""
    device, length = windows[0][0].device, windows[0][0].num_keys
    query, key = torch.arange(num_global, device=device)[:, None], torch.arange(length, device=device)[None]
    seen = torch.cat([allowed(query, key, length) & library.at(query, key) for library, allowed, _ in windows])
    if not bool(seen[..., num_global:].any()):
        return None
    return never_empty(seen, query == key)[:, None].expand(batch_size, -1, -1, -1)


def never_empty(seen: torch.Tensor, itself: torch.Tensor) -> torch.Tensor:
    """Let a query that sees nothing (padding) see itself: a softmax over nothing is not a number."""
    return seen | (~seen.any(-1, keepdim=True) & itself)


def _trim(
    layout: Layout, local: torch.Tensor, rows: torch.Tensor | None, batch_size: int, extra: torch.Tensor | None
) -> BlockMask:
    """Leave out the side of the spans that no query sees: a causal model pays for two windows, not three."""
    if layout.right and not bool(local[..., -layout.right :].any()):
        local, layout = local[..., : -layout.right], replace(layout, right=0)
    local = local.expand(batch_size, -1, -1, -1).flatten(0, 1)[:, None]
    return BlockMask(layout, local, rows, extra)
