"""Combines a declared pattern and the library's own mask to the mask of a kernel.

Causality, padding, packed documents and a model's own sliding window are given by the library's ``mask_function`` of
(window, head, query, key) indices. It is evaluated only at the pairs that a block computes, never on L × L.

Shape legend: as in ``blocks``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from transformers.masking_utils import (  # type: ignore[attr-defined]
    TransformGetItemToIndex,
    and_masks,
    bidirectional_mask_function,
    causal_mask_function,
    padding_mask_function,
    prepare_padding_mask,
)

from ctxlab.core.parts import Part
from ctxlab.core.strategy import Pattern
from ctxlab.strategies.attention.kernels.blocks import BlockMask
from ctxlab.strategies.attention.kernels.products import spare_keys
from ctxlab.strategies.attention.kernels.spans import Layout

PAIRS_AT_A_TIME = 2**20
"""Pairs of blocks whose indices are in memory at a time: 8 MiB for each comparison. All pairs of a window of a million
tokens would take 3 GB."""

LEAST_SCORE = -10_000.0
"""What older models add to the score of a key to leave it out; its weight is then 0 in any precision."""


@dataclass(frozen=True, slots=True, eq=False)
class DenseMask:
    """A mask over all pairs, used where blocks would not be cheaper or queries use a KV cache."""

    pairs: torch.Tensor | None
    """(B, 1, queries, keys) bool; None where every pair is allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class LibraryMask:
    """What the model itself allows, as a function of indices."""

    batch_size: int
    num_queries: int
    num_keys: int
    query_offset: int
    key_offset: int
    function: Callable[..., Any]
    vectorised: bool
    """Whether ``function`` accepts index tensors that broadcast; the library flags functions that may not."""
    device: torch.device
    padding: torch.Tensor | None = None
    """(B, keys) bool: True for tokens, False for padding; None where there is no padding."""

    def lengths(self) -> list[int]:
        """Return the tokens of each document up to its last one before padding; one number where all are equal."""
        end = self.num_keys + self.key_offset
        if self.padding is None or self.num_queries != self.num_keys:
            return [end]
        last = (self.padding[:, :end] * torch.arange(1, end + 1, device=self.device)).amax(1).clamp(min=1)
        lengths: list[int] = last.tolist()
        return lengths if len(set(lengths)) > 1 else lengths[:1]

    def row(self, index: int) -> "LibraryMask":
        """Return the mask of one window."""

        def function(window: Any, head: Any, query: Any, key: Any) -> Any:
            return self.function(window + index, head, query, key)

        return replace(self, batch_size=1, function=function)

    def at(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Return (B or 1, ...) bool for absolute query and key indices that broadcast to (...)."""
        shape = torch.broadcast_shapes(query.shape, key.shape)
        head = torch.zeros((), dtype=torch.long, device=self.device)
        window = torch.arange(self.batch_size, device=self.device).view(-1, *[1] * len(shape))
        query, key = query[None], key[None]
        if self.vectorised:
            result: torch.Tensor = self.function(window, head, query, key)
            return result.expand(result.shape[0] if result.ndim else 1, *shape)
        index = [part.flatten() for part in torch.broadcast_tensors(window, query, key)]
        # Evaluate element by element for functions that do not broadcast.
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
    """Collect the arguments of the library's mask interface, with padding included in the mask function.

    Args:
        batch_size: Windows (B).
        q_length: Queries.
        kv_length: Keys.
        q_offset: Index of the first query.
        kv_offset: Index of the first key.
        mask_function: What the model allows, as a function of indices.
        attention_mask: (B, keys) padding mask, or None.
        use_vmap: Whether ``mask_function`` may not broadcast.
        device: Where masks are built.
    """
    padding = prepare_padding_mask(attention_mask, kv_length, kv_offset)
    padding = padding.bool() if padding is not None else None
    function = and_masks(mask_function, padding_mask_function(padding)) if padding is not None else mask_function
    return LibraryMask(
        batch_size,
        q_length,
        num_keys=kv_length,
        query_offset=int(q_offset),
        key_offset=kv_offset,
        function=function,
        vectorised=not use_vmap,
        device=torch.device(device),
        padding=padding,
    )


def from_tensor(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, causal: bool) -> LibraryMask:
    """Build the mask for a model that passes none, or a mask tensor, instead of calling the mask interface.

    Args:
        query: (B, H, queries, D)
        key: (B, K, keys, D)
        mask: (B or 1, 1, queries, keys) bool, or None; (B, 1, 1, keys), also of numbers that are added to the scores
            (LayoutLM, MarkupLM), where it only leaves out padding.
        causal: Whether the model is causal, where it passes no mask.

    Raises:
        NotImplementedError: A mask of padding has numbers that do more than leave out keys.
    """
    sizes = (query.shape[0], query.shape[2], key.shape[2], key.shape[2] - query.shape[2])
    if mask is None:
        plain: Callable[..., Any] = causal_mask_function if causal else bidirectional_mask_function
        return library_mask(*sizes, mask_function=plain, device=query.device)
    if mask.shape[2] == 1 < query.shape[2]:
        padding = _kept(mask[:, 0, 0]).expand(query.shape[0], -1)
        return library_mask(*sizes, attention_mask=padding, device=query.device)
    offset = sizes[-1]

    def look_up(window: Any, head: Any, query_index: Any, key_index: Any) -> torch.Tensor:
        return mask[window if mask.shape[0] > 1 else 0, 0, query_index - offset, key_index]

    return library_mask(*sizes, mask_function=look_up, device=query.device)


def _kept(mask: torch.Tensor) -> torch.Tensor:
    """Return which keys a mask leaves: bool, or numbers that are 0 for these and at most -10,000 for the others."""
    if mask.dtype == torch.bool:
        return mask
    kept = mask == 0
    if not bool((kept | (mask <= LEAST_SCORE)).all()):
        raise NotImplementedError("the model adds numbers to the scores of keys")
    return kept


def build(
    library: LibraryMask,
    allowed: Pattern,
    layout: Layout,
    extra: torch.Tensor | None = None,
    lengths: Sequence[int] = (),
    *,
    fill: bool = True,
) -> BlockMask | DenseMask:
    """Build the mask for a kernel that computes the pairs of ``layout``, or all pairs where that is cheaper.

    Args:
        library: What the model itself allows.
        allowed: The declared pattern.
        layout: Which keys the kernel has for each block.
        extra: (1 or B, 1 or N, E) token indices of the layout's extra keys; negative where a block has fewer.
        lengths: Tokens of each document, or of all, where the pattern depends on it; empty for the batch's length.
        fill: Whether a query without any key attends to itself in its block.
    """
    extra = extra if extra is None else extra.to(library.device)
    rows = _apart(library, allowed, extra, lengths)
    if library.num_queries != library.num_keys or library.num_keys <= layout.keys:
        pairs = torch.cat([_dense(one, pattern) for one, pattern, _ in rows])
        return DenseMask(None if bool(pairs.all()) else pairs[:, None])
    local = torch.cat([_local(one, pattern, layout, own, fill=fill) for one, pattern, own in rows])
    first = _rows(rows, layout.num_global, library.batch_size) if layout.num_global else None
    return _trim(layout, local, rows=first, batch_size=library.batch_size, extra=extra)


Row = tuple[LibraryMask, Pattern, torch.Tensor | None]
"""For one window or all of them: what the model allows, the declared pattern, and the extra keys (1 or N, E)."""


def _apart(library: LibraryMask, allowed: Pattern, extra: torch.Tensor | None, lengths: Sequence[int]) -> list[Row]:
    """Return all windows together, or each separately, with the pattern and the extra keys for its own length."""

    def fixed(length: int) -> Pattern:
        return lambda query, key, _: allowed(query, key, length)

    if len(lengths) <= 1:
        return [(library, fixed(lengths[0]) if lengths else allowed, None if extra is None else extra[0])]
    keys = [None] * len(lengths) if extra is None else extra.expand(len(lengths), -1, -1)
    return [(library.row(i), fixed(length), keys[i]) for i, length in enumerate(lengths)]


def _dense(library: LibraryMask, allowed: Pattern) -> torch.Tensor:
    """Return (B or 1, queries, keys) bool: the mask over all pairs."""
    query = torch.arange(library.num_queries, device=library.device)[:, None] + library.query_offset
    key = torch.arange(library.num_keys, device=library.device)[None] + library.key_offset
    pairs = allowed(query, key, library.num_keys + library.key_offset) & library.at(query, key)
    return never_empty(pairs, query == key)


def build_part(allowed: Pattern, layout: Layout, part: Part, padding: torch.Tensor, **library: Any) -> BlockMask:
    """Build the mask of a part of each window, for a kernel that has the keys of its neighbours.

    The masks of all parts have the same layout, and all have ``rows`` or none.

    Args:
        allowed: The declared pattern.
        layout: Which keys the kernel has for each block; without extra keys.
        part: Which tokens of the window are queries.
        padding: (B, W) bool: True for tokens of the whole windows, False for padding.
        library: Arguments of the library's mask interface, as the model gives them for the part's tokens.

    Returns:
        A mask whose blocks begin with the first token of the part, and whose ``rows`` are (B, 1, G, P).
    """
    width = padding.shape[1]
    places = part.places(width)
    sizes = {"q_length": width, "kv_length": width, "q_offset": 0, "kv_offset": 0}
    place = torch.arange(2, device=padding.device)
    plain = library_mask(**{**library, **sizes, "attention_mask": None})
    if not bool(plain.at(place[:1], place[1:]).any()):  # causal; decided without padding, so that all parts agree
        layout = replace(layout, right=0)
    whole = library_mask(**{**library, **sizes, "attention_mask": padding})
    local = _local(whole, allowed, layout, None, fill=True, places=places)
    rows = _rows([(whole, allowed, None)], layout.num_global, whole.batch_size) if layout.num_global else None
    local = local.expand(whole.batch_size, -1, -1, -1).flatten(0, 1)[:, None]
    return BlockMask(layout, local, rows if rows is None else rows[..., places])


def _local(
    library: LibraryMask,
    allowed: Pattern,
    layout: Layout,
    extra: torch.Tensor | None,
    *,
    fill: bool,
    places: slice | None = None,
) -> torch.Tensor:
    """Return (B or 1, N, Q, S) bool: the mask of each block.

    A key that is global, extra and in the span is unmasked once only: as global key, else as part of the span.

    Args:
        library: What the model itself allows.
        allowed: The declared pattern.
        layout: Which keys the kernel has for each block.
        extra: (1 or N, E) extra keys, or None.
        fill: Whether a query without any key attends to itself.
        places: The queries; None for those of the whole window.
    """
    places = places or slice(0, library.num_keys)
    num_blocks = layout.num_blocks(places.stop - places.start)
    starts = places.start + torch.arange(num_blocks, device=library.device)[:, None] * layout.block  # (N, 1)
    at_a_time = max(1, PAIRS_AT_A_TIME // (layout.block * layout.keys))
    extras = [None] * num_blocks if extra is None else extra.expand(num_blocks, -1).split(at_a_time)
    parts = zip(starts.split(at_a_time), extras, strict=False)
    return torch.cat([_of_blocks(library, allowed, layout, own, blocks=some, fill=fill) for some, own in parts], dim=1)


def _of_blocks(
    library: LibraryMask,
    allowed: Pattern,
    layout: Layout,
    extra: torch.Tensor | None,
    *,
    blocks: torch.Tensor,
    fill: bool,
) -> torch.Tensor:
    """Return (B or 1, n, Q, S) bool: the mask of some blocks.

    Args:
        library: What the model itself allows.
        allowed: The declared pattern.
        layout: Which keys the kernel has for each block.
        extra: (n, E) extra keys, or None.
        blocks: (n, 1) first query of each.
        fill: Whether a query without any key attends to itself.
    """
    length, device = library.num_keys, library.device
    query = (blocks + torch.arange(layout.block, device=device))[:, :, None]  # (n, Q, 1)
    span = blocks + torch.arange(-layout.left, layout.block + layout.right, device=device)  # (n, left + Q + right)
    first = torch.arange(layout.num_global, device=device).expand(len(blocks), -1)  # (n, G)
    picked = first[:, :0] if extra is None else extra.expand(len(blocks), -1)  # (n, E)
    twice = (picked >= span[:, :1]) & (picked <= span[:, -1:]) | (picked < layout.num_global) | (picked >= length)
    key = torch.cat([first, picked, span], dim=1)[:, None, :]  # (n, 1, S)
    shared = torch.zeros_like(first, dtype=torch.bool)
    hidden = torch.cat([shared, twice, (span < layout.num_global) | (span >= length)], dim=1)[:, None, :]
    # Positions outside the document are masked, but the functions are evaluated there: clamp the indices.
    inside_query, inside_key = query.clamp(max=length - 1), key.clamp(0, length - 1)
    seen = allowed(inside_query, inside_key, length) & library.at(inside_query, inside_key) & ~hidden
    if not fill:
        return seen
    elsewhere = torch.cat([shared, torch.ones_like(twice), span < layout.num_global], dim=1)[:, None, :]
    return never_empty(seen, (query == key) & ~elsewhere)


def _rows(windows: Sequence[Row], num_global: int, batch_size: int) -> torch.Tensor | None:
    """Return (B, 1, G, L) bool: keys of the global queries, or None where these attend to global keys only."""
    device, length = windows[0][0].device, windows[0][0].num_keys
    query, key = torch.arange(num_global, device=device)[:, None], torch.arange(length, device=device)[None]
    seen = torch.cat([allowed(query, key, length) & library.at(query, key) for library, allowed, _ in windows])
    if not bool(seen[..., num_global:].any()):
        return None
    return never_empty(seen, query == key)[:, None].expand(batch_size, -1, -1, -1)


def never_empty(seen: torch.Tensor, itself: torch.Tensor) -> torch.Tensor:
    """Let a query without any key (padding) attend to itself, as a softmax over no keys is NaN."""
    return seen | (~seen.any(-1, keepdim=True) & itself)


def _trim(
    layout: Layout, local: torch.Tensor, rows: torch.Tensor | None, batch_size: int, extra: torch.Tensor | None
) -> BlockMask:
    """Remove the right side of the spans if it is masked everywhere: a causal model computes two windows, not three.

    Masked keys are added on the right where their number suits matrix units then.

    Args:
        layout: Which keys the kernel has for each block.
        local: (B or 1, N, Q, S) bool.
        rows: (B, 1, G, L) bool, or None.
        batch_size: Windows (B).
        extra: (1 or B, 1 or N, E), or None.
    """
    if layout.right and not bool(local[..., -layout.right :].any()):
        local, layout = local[..., : -layout.right], replace(layout, right=0)
    if spare := spare_keys(layout.keys, local.device):
        local, layout = F.pad(local, (0, spare)), replace(layout, right=layout.right + spare)
    local = local.expand(batch_size, -1, -1, -1).flatten(0, 1)[:, None]
    return BlockMask(layout, local, rows, extra)
