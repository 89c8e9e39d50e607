"""Tokens sorted by bucket and cut into chunks, and which chunks of keys each chunk of queries sees.

Shape legend: H query heads, K key heads, T tokens of one document, R rounds, N chunks of the document, M tokens of a
chunk, C chunks of keys that a chunk of queries sees, P chunks of queries in a piece.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

PLACES_PER_CALL = 4096
"""Queries of one kernel call, so that their scores stay in the cache."""

Visible = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""What the model itself allows: query and key tokens that broadcast against each other, to bool."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """One document, sorted and cut in every round; heads and their chunks are counted through as one list."""

    length: int
    chunk: int
    queries: torch.Tensor
    """(R, H·N, M) row of each place among the queries (H·T); the first of its head where the place is empty."""
    keys: torch.Tensor
    """(R, K·N, M) the same among the keys (K·T)."""
    spans: torch.Tensor
    """(R, H·N, C) chunks of keys, out of K·N, that a chunk of queries sees; repeated where a document has fewer."""
    query_places: torch.Tensor
    """(R, H·T) place of each query among H·N·M."""
    key_places: torch.Tensor
    """(R, K·T) place of each key among K·N·M."""
    query_spans: torch.Tensor
    """(R, H·T, C) int32 chunks of keys that each query sees."""
    key_chunks: torch.Tensor
    """(R, K·T) int32 chunk of each key."""
    visible: Visible

    @property
    def num_chunks(self) -> int:
        """Chunks of one head (N)."""
        return math.ceil(self.length / self.chunk)

    def pieces(self) -> Iterator[slice]:
        """Consecutive chunks of queries, as many as one kernel call takes."""
        total, most = self.queries.shape[1], max(1, PLACES_PER_CALL // self.chunk)
        return (slice(first, min(first + most, total)) for first in range(0, total, most))

    def seen(self, turn: int, piece: slice) -> torch.Tensor:
        """(P, M, C·M) bool: pairs that round ``turn`` computes, each only in the first round that has it.

        A token itself is not among them.
        """
        rows, spans = self.queries[turn, piece], self.spans[turn, piece]
        key_rows = self.keys[turn].index_select(0, spans.flatten()).view(len(rows), -1)
        query, key = (rows % self.length)[:, :, None], (key_rows % self.length)[:, None]
        seen = self.visible(query, key) & (query != key)
        for earlier in range(turn):
            there = self.key_chunks[earlier].take(key_rows)[:, None]
            for mine in self.query_spans[earlier].index_select(0, rows.flatten()).view(*rows.shape, -1).unbind(-1):
                seen &= there != mine[:, :, None]
        return self._hide_empty(seen, spans, piece)

    def _hide_empty(self, seen: torch.Tensor, spans: torch.Tensor, piece: slice) -> torch.Tensor:
        """Hide places without a token, and chunks that a short document would show twice."""
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
    """Sort by bucket, then position, and cut.

    Args:
        query_buckets: (H, R, T) long.
        key_buckets: (K, R, T) long.
        chunk: Tokens of a chunk (M).
        num_after: Chunks seen after the one that a chunk of queries meets; one before it is always seen.
        visible: What the model itself allows.
    """
    length = query_buckets.shape[-1]
    num_chunks = math.ceil(length / chunk)
    (query_codes, query_order), (key_codes, key_order) = (_sort(part) for part in (query_buckets, key_buckets))
    offsets = torch.arange(-1, 1 + num_after, device=key_order.device)
    met = _meet(query_codes, key_codes, chunk, num_chunks)
    spans = (met[..., None] + offsets) % num_chunks
    groups = query_order.shape[1] // key_order.shape[1]
    head = torch.arange(query_order.shape[1], device=key_order.device)
    spans = (spans + (head // groups * num_chunks)[:, None, None]).flatten(1, 2)
    query_places, key_places = _places(query_order, chunk), _places(key_order, chunk)
    query_chunks = query_places.div(chunk, rounding_mode="floor")
    return Chunks(
        length, chunk, _rows(query_order, chunk), _rows(key_order, chunk), spans, query_places, key_places,
        torch.stack([own.index_select(0, at) for own, at in zip(spans, query_chunks, strict=True)]).int(),
        key_places.div(chunk, rounding_mode="floor").int(), visible,
    )  # fmt: skip


def _sort(buckets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(H, R, T) to sorted codes and the tokens in that order, both (R, H, T); a code is bucket and position."""
    length = buckets.shape[-1]
    codes = buckets.transpose(0, 1) * length + torch.arange(length, device=buckets.device)
    ordered, order = codes.sort(-1)
    return ordered, order


def _meet(query_codes: torch.Tensor, key_codes: torch.Tensor, chunk: int, num_chunks: int) -> torch.Tensor:
    """(R, H, N) chunk of keys that holds the place of each chunk's middle query."""
    length = query_codes.shape[-1]
    middle = (torch.arange(num_chunks, device=query_codes.device) * chunk + chunk // 2).clamp(max=length - 1)
    wanted = query_codes[..., middle].contiguous()
    keys = key_codes.repeat_interleave(query_codes.shape[1] // key_codes.shape[1], 1)
    return (torch.searchsorted(keys, wanted, right=True) - 1).clamp(min=0).div(chunk, rounding_mode="floor")


def _rows(order: torch.Tensor, chunk: int) -> torch.Tensor:
    """(R, H, T) to (R, H·N, M), counted through the heads."""
    heads, length = order.shape[1:]
    filled = F.pad(order, (0, -length % chunk)) + torch.arange(heads, device=order.device)[:, None] * length
    return filled.reshape(len(order), -1, chunk)


def _places(order: torch.Tensor, chunk: int) -> torch.Tensor:
    """(R, H, T) to the place of each token, (R, H·T), counted through the heads."""
    rounds, heads, length = order.shape
    places = torch.empty_like(order)
    places.scatter_(-1, order, torch.arange(length, device=order.device).expand_as(order))
    per_head = math.ceil(length / chunk) * chunk
    return (places + torch.arange(heads, device=order.device)[:, None] * per_head).reshape(rounds, heads * length)
