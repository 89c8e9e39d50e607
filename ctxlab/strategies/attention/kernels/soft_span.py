"""Attention with a soft mask by distance, computed up to the span of the widest head.

The logarithm of the soft mask is added to the scores. On a CPU, PyTorch's kernel runs with it, and the gradient of the
spans is computed separately, from the few pairs on the ramp: PyTorch's own gradient of a mask would need to keep all
scores.

Shape legend: B windows, H query heads, L tokens, D head width, Q queries of a tile, S keys of a tile, W tokens on each
side that are computed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ctxlab.strategies.attention.kernels.blocks import sdpa
from ctxlab.strategies.attention.kernels.blockwise import KERNEL, KERNEL_BACKWARD
from ctxlab.strategies.attention.kernels.masks import LibraryMask
from ctxlab.strategies.attention.kernels.ramps import Ramps

TILE_BLOCK = 64
"""Queries of a tile. Measured on a CPU with spans of 512 tokens at 4,096: this took 0.44 to 0.48 of the time of dense
SDPA, 128 took 0.47 to 0.54."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Some consecutive queries, and the keys that any of them may attend to, their own included."""

    queries: slice
    keys: slice
    ahead: int
    """Position of the first query minus that of the first key."""
    hidden: torch.Tensor | None
    """(B or 1, 1, Q, S) bool: what the model itself masks; None for nothing."""

    def mask(self, fade: torch.Tensor) -> torch.Tensor:
        """Return (1 or B, H, Q, S): the part of ``fade`` for the tile; a query without keys attends to itself."""
        num_queries, num_keys = self.queries.stop - self.queries.start, self.keys.stop - self.keys.start
        first = (fade.shape[-1] - fade.shape[-2]) // 2 - self.ahead
        mask = fade[None, :, :num_queries, first : first + num_keys]
        if self.hidden is None:
            return mask
        mask = mask.masked_fill(self.hidden, -math.inf)
        if not bool(self.hidden.diagonal(self.ahead, -2, -1).any()):
            return mask
        query = torch.arange(num_queries, device=mask.device)[:, None]
        itself = query + self.ahead == torch.arange(num_keys, device=mask.device)
        return mask.masked_fill((mask == -math.inf).all(-1, keepdim=True) & itself, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """The tiles of a batch; built once per forward pass and width, and shared by layers of equal width."""

    library: LibraryMask
    _made: dict[int, list[Tile]] = field(default_factory=dict)

    def of(self, width: int) -> list[Tile]:
        """Return the tiles for ``width`` tokens on each side."""
        if width not in self._made:
            starts = range(0, self.library.num_queries, TILE_BLOCK)
            self._made[width] = [self._tile(start, width) for start in starts]
        return self._made[width]

    @property
    def first_query(self) -> int:
        """Return the index of the key that belongs to the first query; above 0 where queries use a KV cache."""
        return self.library.query_offset - self.library.key_offset

    def _tile(self, start: int, width: int) -> Tile:
        """Build a tile without keys that no query may attend to, such as those after it in a causal model."""
        library = self.library
        queries, keys = span(
            start, library.num_queries, num_keys=library.num_keys, width=width, first_query=self.first_query
        )
        query = torch.arange(queries.start, queries.stop, device=library.device) + library.query_offset
        key = torch.arange(keys.start, keys.stop, device=library.device) + library.key_offset
        seen = library.at(query[:, None], key[None])
        ahead = queries.start + self.first_query - keys.start
        if bool(_once(seen).all()):
            return Tile(queries, keys, ahead, None)
        used = seen.flatten(0, 1).any(0).nonzero().flatten().tolist() or [ahead]
        first, last = min(used[0], ahead), max(used[-1] + 1, ahead + len(query))
        seen = seen[..., first:last]
        hidden = None if bool(seen.all()) else ~seen[:, None]
        return Tile(queries, slice(keys.start + first, keys.start + last), ahead - first, hidden)


def _once(seen: torch.Tensor) -> torch.Tensor:
    """Return the tensor without repetitions along expanded dimensions (stride 0)."""
    return seen[tuple(slice(None) if stride else slice(1) for stride in seen.stride())]


def span(start: int, num_queries: int, num_keys: int, width: int, first_query: int = 0) -> tuple[slice, slice]:
    """Return the queries of a tile from ``start``, and the keys within ``width`` of any of them.

    Args:
        start: First query.
        num_queries: Queries of the window.
        num_keys: Keys, those of a KV cache included.
        width: Tokens on each side.
        first_query: Index of the key that belongs to query 0.
    """
    stop = min(start + TILE_BLOCK, num_queries)
    return slice(start, stop), slice(max(start + first_query - width, 0), min(stop + first_query + width, num_keys))


def num_pairs(length: int, width: int) -> int:
    """Return the computed pairs of one head in a window of ``length`` tokens, in a model that is not causal."""
    tiles = [span(start, length, length, width) for start in range(0, length, TILE_BLOCK)]
    return sum((q.stop - q.start) * (k.stop - k.start) for q, k in tiles)


def reach(spans: torch.Tensor, ramp: int, num_keys: int) -> int:
    """Return the tokens on each side with any weight in the widest of ``spans``, at most ``num_keys`` − 1."""
    return min(math.ceil(float(spans.detach().max()) + ramp) - 1, num_keys - 1)


def log_fade(spans: torch.Tensor, ramp: int, width: int) -> torch.Tensor:
    """Return (H, Q, W + Q + W): logarithm of each head's soft mask, for a tile with ``width`` keys on either side."""
    key = torch.arange(1 - TILE_BLOCK - width, TILE_BLOCK + width, device=spans.device)  # relative to the query
    fade = ((ramp + spans[:, None] - key.abs()) / ramp).clamp(max=1)
    table = torch.where(fade > 0, fade.clamp(min=torch.finfo(fade.dtype).tiny).log(), -math.inf)
    return table.unfold(-1, TILE_BLOCK + 2 * width, 1).flip(-2).contiguous()


@dataclass(frozen=True, slots=True, eq=False)
class SoftSpanCall:
    """The arguments of one kernel call other than tensors."""

    tiles: Tiles
    ramp: int
    scaling: float

    def masked(self, spans: torch.Tensor) -> Iterator[tuple[Tile, torch.Tensor]]:
        """Yield each tile with its mask (1 or B, H, Q, S)."""
        width = reach(spans, self.ramp, self.tiles.library.num_keys)
        fade = log_fade(spans, self.ramp, width)
        for tile in self.tiles.of(width):
            yield tile, tile.mask(fade)

    def gradients(
        self,
        upstream: torch.Tensor,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        spans: torch.Tensor,
        output: torch.Tensor,
        total: torch.Tensor,
        learning: bool,
    ) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of query, key, value and spans.

        Args:
            upstream: (B, H, L, D) gradient of the output.
            query: (B, H, L, D)
            key: (B, H, keys, D)
            value: (B, H, keys, D)
            spans: (H,) tokens.
            output: (B, H, L, D)
            total: (B, H, L) log-sum-exp returned by the kernel.
            learning: Whether the gradient of the spans is needed; else it is None.
        """
        of_query, of_key, of_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        hides = False
        for tile, mask in self.masked(spans):
            q, kv = (slice(None), slice(None), tile.queries), (slice(None), slice(None), tile.keys)
            parts = upstream[q], query[q], key[kv], value[kv], output[q], total[q]
            found = KERNEL_BACKWARD(*parts, 0.0, False, attn_mask=mask, scale=self.scaling)
            of_query[q] = found[0]
            of_key[kv] += found[1]
            of_value[kv] += found[2]
            hides |= tile.hidden is not None
        if not learning:
            return of_query, of_key, of_value, None
        mean = (upstream * output).sum(-1)
        library, scaled = self.tiles.library, query * self.scaling
        ramps = Ramps(
            scaled,
            key,
            value=value,
            upstream=upstream,
            total=total,
            mean=mean,
            spans=spans,
            ramp=self.ramp,
            library=library,
            hides=hides,
        )
        return of_query, of_key, of_value, ramps.gradient()


class SoftSpan(torch.autograd.Function):
    """PyTorch's CPU kernel with the soft mask of each head, and the gradient of the spans."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, spans: torch.Tensor, call: SoftSpanCall
    ) -> torch.Tensor:
        """Map query, key and value (B, H, L, D) and spans (H,) to (B, H, L, D)."""
        outputs, totals = [], []
        for tile, mask in call.masked(spans):
            q, k, v = query[:, :, tile.queries], key[:, :, tile.keys], value[:, :, tile.keys]
            output, total = KERNEL(q, k, v, dropout_p=0.0, is_causal=False, attn_mask=mask, scale=call.scaling)
            outputs.append(output)
            totals.append(total)
        output, total = torch.cat(outputs, 2), torch.cat(totals, 2)
        ctx.save_for_backward(query, key, value, spans, output, total)
        ctx.call = call
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Recompute the masks tile by tile, and return all four gradients."""
        with torch.autocast("cpu", enabled=False):
            return (*ctx.call.gradients(upstream, *ctx.saved_tensors, ctx.needs_input_grad[3]), None)


def soft_span_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    spans: torch.Tensor,
    tiles: Tiles,
    *,
    ramp: int,
    dropout: float = 0.0,
    scaling: float | None = None,
) -> torch.Tensor:
    """Compute attention with learned soft spans.

    Where the CPU kernel cannot be used (another device, dropout, values of another width), autograd computes the
    gradient of the spans, which keeps all scores in memory.

    Args:
        query: (B, H, L, D); H is a multiple of K.
        key: (B, K, keys, D); as many tokens as queries, or more where these use a KV cache.
        value: (B, K, keys, D)
        spans: (H,) tokens on each side with full weight.
        tiles: Tiles of this batch.
        ramp: Tokens over which the weights of a head decay to zero after its span.
        dropout: Fraction of weights to drop.
        scaling: Factor of the scores; None for D ** −0.5.

    Returns:
        (B, L, H, D)
    """
    call = SoftSpanCall(tiles, ramp, query.shape[-1] ** -0.5 if scaling is None else scaling)
    if query.device.type != "cpu" or dropout or query.shape[-1] != value.shape[-1]:
        return _by_the_library(query, key, value=value, spans=spans, call=call, dropout=dropout)
    dtype, groups = query.dtype, query.shape[1] // key.shape[1]
    with torch.autocast("cpu", enabled=False):
        query, key, value = (part.float() if part.dtype.itemsize < 4 else part for part in (query, key, value))
        key, value = (part.repeat_interleave(groups, 1) if groups > 1 else part for part in (key, value))
        output: torch.Tensor = SoftSpan.apply(query, key, value, spans.to(query.dtype), call)
    return output.to(dtype).transpose(1, 2).contiguous()


def _by_the_library(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, spans: torch.Tensor, call: SoftSpanCall, dropout: float
) -> torch.Tensor:
    """Compute it with ``sdpa`` and autograd: (B, H, L, D) to (B, L, H, D).

    Args:
        query: (B, H, L, D)
        key: (B, K, keys, D)
        value: (B, K, keys, D)
        spans: (H,) tokens.
        call: Tiles, ramp and scaling.
        dropout: Fraction of weights to drop.
    """
    outputs = []
    for tile, mask in call.masked(spans):
        q, k, v = query[:, :, tile.queries], key[:, :, tile.keys], value[:, :, tile.keys]
        outputs.append(sdpa(q, k, v, mask.to(query.dtype), dropout=dropout, scaling=call.scaling))
    return torch.cat(outputs, 2).transpose(1, 2).contiguous()
