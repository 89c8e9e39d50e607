"""SDPA whose backward pass is made of batched matrix products, for matrix units that the library does not use there.

On a CPU with AMX the library takes 100 ms for the gradients of 16 blocks of 128 queries and 416 keys, 12 heads, in
bf16 and 30 ms in fp32; products in bf16 take 24 ms (torch 2.13.0, two threads). The forward pass is the library's.

Shape legend: n blocks, H query heads, K key heads, g = H/K query heads of a key head, Q queries, S keys, D head width.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

SCORES_PER_PRODUCT = 2**21
"""Scores of one product: 4 MiB, so that the passes over them read the CPU's cache."""

MOST_SCORES_OF_A_BLOCK = 4 * SCORES_PER_PRODUCT
"""Above it fewer queries are computed at a time, or by the library's backward pass, which keeps no scores."""

MULTIPLE_OF_KEYS = 32
LEAST_KEYS = 256
"""Rows of scores begin at whole lines of the cache: with 416 keys instead of 385 the library's forward pass takes 11 ms
instead of 20. Below ``LEAST_KEYS`` the added keys could cost more."""


def has_matrix_units(device: torch.device) -> bool:
    """Return whether this is a CPU with AMX for bf16."""
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16"))


def spare_keys(keys: int, device: torch.device) -> int:
    """Return how many masked keys make a block of ``keys`` faster."""
    return -keys % MULTIPLE_OF_KEYS if keys >= LEAST_KEYS and has_matrix_units(device) else 0


def takes_products(query: torch.Tensor, key: torch.Tensor, dropout: float) -> bool:
    """Return whether a gradient by ``products_sdpa`` takes less time: of (n, H, Q, D) queries and (n, K, S, D) keys."""
    if not torch.is_grad_enabled() or query.dtype != torch.bfloat16 or dropout:
        return False
    scores = query.shape[1] * query.shape[2] * key.shape[2]
    return has_matrix_units(query.device) and scores <= MOST_SCORES_OF_A_BLOCK


def products_sdpa(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float | None = None
) -> torch.Tensor:
    """Compute softmax attention; the backward pass computes the weights again, rounded to the dtype of ``query``.

    Source: the gradient of FlashAttention (arXiv:2205.14135, algorithm 4). Deviation: its scores stay in fp32.

    Args:
        query: (n, H, Q, D); H is a multiple of K.
        key: (n, K, S, D)
        value: (n, K, S, D)
        mask: (n, 1 or H, Q, S), added to the scores; without gradient.
        scaling: Factor of the scores; None for D ** −0.5.

    Returns:
        (n, H, Q, D)
    """
    output: torch.Tensor = _Products.apply(
        query, key, value, mask, query.shape[-1] ** -0.5 if scaling is None else scaling
    )
    return output


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        ctx.save_for_backward(query, key, value, mask)
        ctx.scaling = scaling
        shared = query.shape[1] > key.shape[1]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling, enable_gqa=shared)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return (*product_gradients(outer[0], *ctx.saved_tensors, scaling=ctx.scaling), None, None)


def product_gradients(
    upstream: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    *,
    scaling: float,
) -> list[torch.Tensor]:
    """Return the gradients of query, key and value.

    Args:
        upstream: (n, H, Q, D) gradient of the output.
        query: (n, H, Q, D); H is a multiple of K.
        key: (n, K, S, D)
        value: (n, K, S, D)
        mask: (n, 1 or H, Q, S), added to the scores.
        scaling: Factor of the scores.
    """
    blocks, heads, queries, _ = query.shape
    key_heads, keys = key.shape[1:3]
    most = max(1, MOST_SCORES_OF_A_BLOCK // (heads * keys))
    if queries > most:
        cuts = zip(*(part.split(most, 2) for part in (upstream, query, mask)), strict=True)
        pieces = [product_gradients(up, own, key, value=value, mask=seen, scaling=scaling) for up, own, seen in cuts]
        of_query, of_key, of_value = zip(*pieces, strict=True)
        return [torch.cat(of_query, 2), torch.stack(of_key).sum(0), torch.stack(of_value).sum(0)]
    rows = min(blocks, max(1, SCORES_PER_PRODUCT // (heads * queries * keys)))
    # Tokens before heads in memory, as the gradients of spans are added up by token.
    found = [torch.empty_like(part.transpose(1, 2)).transpose(1, 2) for part in (query, key, value)]
    kept = [query.new_empty(rows * key_heads, heads // key_heads * queries, keys) for _ in range(3)]
    with torch.autocast(query.device.type, enabled=False):
        for first in range(0, blocks, rows):
            some = slice(first, first + rows)
            parts = [part[some] for part in (upstream, query, key, value, mask)]
            room = [one[: len(parts[1]) * key_heads] for one in kept]
            for total, part in zip(found, _gradients(*parts, scaling=scaling, room=room), strict=True):
                total[some] = part
    return found


def _gradients(
    upstream: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    *,
    scaling: float,
    room: Sequence[torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of query, key and value, in their shapes.

    ``room`` is three tensors (n·K, g·Q, S) that are written: memory that is taken anew costs as much as a product.
    """
    blocks, key_heads, keys, _ = key.shape
    scores, weights, to_scores = room
    # The query heads of a key head become further queries: (n, H, Q, D) → (n·K, g·Q, D); keys are (n·K, S, D).
    by_query, outer = (
        part.unflatten(1, (key_heads, -1)).flatten(2, 3).flatten(0, 1) for part in (query * scaling, upstream)
    )
    by_key, values = key.flatten(0, 1), value.flatten(0, 1)
    torch.bmm(by_query, by_key.mT, out=scores)  # (n·K, g·Q, S)
    by_head = scores.view(blocks, *query.shape[1:3], keys)  # (n, H, Q, S)
    by_head += mask
    torch.softmax(scores, -1, out=weights)
    to_value = torch.bmm(weights.mT, outer)  # (n·K, S, D)
    torch.bmm(outer, values.mT, out=scores)
    # w · (u − Σ u·w) of each query
    torch._softmax_backward_data(scores, weights, -1, scores.dtype, grad_input=to_scores)
    to_query = torch.bmm(to_scores, by_key).mul_(scaling)  # (n·K, g·Q, D)
    to_key = torch.bmm(to_scores.mT, by_query)
    return to_query.view(query.shape), to_key.view(key.shape), to_value.view(value.shape)
