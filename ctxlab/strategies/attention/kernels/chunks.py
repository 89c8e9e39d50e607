"""Sorts tokens by bucket, cuts them into chunks, and finds the chunks of keys for each chunk of queries.

Shape legend: H query heads, K key heads, T tokens of one document, R rounds, N chunks of the document, M tokens of a
chunk, C chunks of keys that a chunk of queries attends to, P chunks of queries in a piece.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

PLACES_PER_CALL = 4096
"""Queries of one kernel call, so that their scores fit the CPU cache."""

Visible = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Maps query and key tokens that broadcast to bool: what the model itself allows."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """One document, sorted and cut in every round; the chunks of all heads are numbered consecutively."""

    length: int
    chunk: int
    queries: torch.Tensor
    """(R, H·N, M) index of each place's query in (H·T); the first one of its head where the place is empty."""
    keys: torch.Tensor
    """(R, K·N, M) the same for keys, in (K·T)."""
    spans: torch.Tensor
    """(R, H·N, C) chunks of keys, of K·N, that a chunk of queries attends to; repeated where there are fewer."""
    query_places: torch.Tensor
    """(R, H·T) place of each query among H·N·M."""
    key_places: torch.Tensor
    """(R, K·T) place of each key among K·N·M."""
    query_spans: torch.Tensor
    """(R, H·T, C) int32 chunks of keys that each query attends to."""
    key_chunks: torch.Tensor
    """(R, K·T) int32 chunk of each key."""
    visible: Visible

    @property
    def num_chunks(self) -> int:
        """Return the number of chunks of one head (N)."""
        return math.ceil(self.length / self.chunk)

    def pieces(self) -> Iterator[slice]:
        """Return ranges of consecutive chunks of queries, each for one kernel call."""
        total, most = self.queries.shape[1], max(1, PLACES_PER_CALL // self.chunk)
        return (slice(first, min(first + most, total)) for first in range(0, total, most))

    def seen(self, turn: int, piece: slice) -> torch.Tensor:
        """Return (P, M, C·M) bool: the pairs of round ``turn`` that no earlier round has, without self-pairs."""
        rows, spans = self.queries[turn, piece], self.spans[turn, piece]  # (P, M), (P, C)
        key_rows = self.keys[turn].index_select(0, spans.flatten()).view(len(rows), -1)  # (P, C·M)
        query, key = (rows % self.length)[:, :, None], (key_rows % self.length)[:, None]
        seen = self.visible(query, key) & (query != key)
        for earlier in range(turn):  # remove pairs whose key was in a chunk that the query attended to before
            there = self.key_chunks[earlier].take(key_rows)[:, None]
            for mine in self.query_spans[earlier].index_select(0, rows.flatten()).view(*rows.shape, -1).unbind(-1):
                seen &= there != mine[:, :, None]
        return self._hide_empty(seen, spans, piece)

    def _hide_empty(self, seen: torch.Tensor, spans: torch.Tensor, piece: slice) -> torch.Tensor:
        """Mask places without a token, and chunks that are repeated because the document is short."""
        places = torch.arange(self.chunk, device=seen.device)
        number = torch.arange(piece.start, piece.stop, device=seen.device) % self.num_chunks
        real_query = number[:, None] * self.chunk + places < self.length
        real_key = (spans % self.num_chunks)[..., None] * self.chunk + places < self.length
        real_key &= (torch.arange(spans.shape[1], device=seen.device) < self.num_chunks)[:, None]
        if not bool(real_query.all()):
            seen &= real_query[:, :, None]
        if not bool(real_key.all()):
            seen &= real_key.flatten(1)[:, None]
        return seen


def cut(query_buckets: torch.Tensor, key_buckets: torch.Tensor, chunk: int, num_after: int, visible: Visible) -> Chunks:
    """Sort tokens by bucket, then by position, and cut them into chunks.

    Args:
        query_buckets: (H, R, T) int64.
        key_buckets: (K, R, T) int64.
        chunk: Tokens of a chunk (M).
        num_after: Chunks of keys after the matching one that are attended to; the one before it always is.
        visible: What the model itself allows.
    """
    length = query_buckets.shape[-1]
    num_chunks = math.ceil(length / chunk)
    (query_codes, query_order), (key_codes, key_order) = (_sort(part) for part in (query_buckets, key_buckets))
    offsets = torch.arange(-1, 1 + num_after, device=key_order.device)
    matching = _matching_chunks(query_codes, key_codes, chunk, num_chunks)  # (R, H, N)
    spans = (matching[..., None] + offsets) % num_chunks  # (R, H, N, C)
    groups = query_order.shape[1] // key_order.shape[1]
    head = torch.arange(query_order.shape[1], device=key_order.device)
    spans = (spans + (head // groups * num_chunks)[:, None, None]).flatten(1, 2)
    query_places, key_places = _places(query_order, chunk), _places(key_order, chunk)
    query_chunks = query_places.div(chunk, rounding_mode="floor")
    return Chunks(
        length,
        chunk,
        queries=_rows(query_order, chunk),
        keys=_rows(key_order, chunk),
        spans=spans,
        query_places=query_places,
        key_places=key_places,
        query_spans=torch.stack([own.index_select(0, at) for own, at in zip(spans, query_chunks, strict=True)]).int(),
        key_chunks=key_places.div(chunk, rounding_mode="floor").int(),
        visible=visible,
    )


def _sort(buckets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sort buckets (H, R, T); return sorted codes and the order, both (R, H, T). A code is bucket · T + position."""
    length = buckets.shape[-1]
    codes = buckets.transpose(0, 1) * length + torch.arange(length, device=buckets.device)
    ordered, order = codes.sort(-1)
    return ordered, order


def _matching_chunks(query_codes: torch.Tensor, key_codes: torch.Tensor, chunk: int, num_chunks: int) -> torch.Tensor:
    """Return (R, H, N): the chunk of keys into which the middle query of each chunk would be sorted.

    Args:
        query_codes: (R, H, T), sorted.
        key_codes: (R, K, T), sorted.
        chunk: Tokens of a chunk (M).
        num_chunks: Chunks of a head (N).
    """
    length = query_codes.shape[-1]
    middle = (torch.arange(num_chunks, device=query_codes.device) * chunk + chunk // 2).clamp(max=length - 1)
    wanted = query_codes[..., middle].contiguous()
    keys = key_codes.repeat_interleave(query_codes.shape[1] // key_codes.shape[1], 1)
    return (torch.searchsorted(keys, wanted, right=True) - 1).clamp(min=0).div(chunk, rounding_mode="floor")


def _rows(order: torch.Tensor, chunk: int) -> torch.Tensor:
    """Cut an order (R, H, T) into chunks (R, H·N, M) of indices into (H·T)."""
    heads, length = order.shape[1:]
    filled = F.pad(order, (0, -length % chunk)) + torch.arange(heads, device=order.device)[:, None] * length
    return filled.reshape(len(order), -1, chunk)


def _places(order: torch.Tensor, chunk: int) -> torch.Tensor:
    """Return (R, H·T): the place in (H·N·M) of each token, given an order (R, H, T)."""
    rounds, heads, length = order.shape
    places = torch.empty_like(order)
    places.scatter_(-1, order, torch.arange(length, device=order.device).expand_as(order))
    per_head = math.ceil(length / chunk) * chunk
    return (places + torch.arange(heads, device=order.device)[:, None] * per_head).reshape(rounds, heads * length)
