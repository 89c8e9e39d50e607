"""Angular hashing of queries and keys into buckets by random rotations.

Shape legend: H query heads, K key heads (H is a multiple), T tokens of one document, D head width, R rounds.
"""

from functools import lru_cache

import torch


def num_buckets(length: int, chunk: int) -> int:
    """Return the number of buckets for ``length`` tokens: a power of two, with half a chunk per bucket on average."""
    return int(2 ** max(1, (2 * length // chunk).bit_length() - 1))


def hash_tokens(tokens: torch.Tensor, key_heads: int, rounds: int, buckets: int, seed: int) -> torch.Tensor:
    """Return the bucket of each token in each round, which depends on the direction of its vector only.

    Args:
        tokens: Queries (H, T, D) or keys (K, T, D); both are rotated by the rotations of their key head.
        key_heads: Number of key heads (K).
        rounds: Rounds of hashing (R).
        buckets: Number of buckets, a power of two.
        seed: Seed of the rotations.

    Returns:
        (H or K, R, T) int64.
    """
    heads, length, width = tokens.shape
    bits = buckets.bit_length() - 1
    halves = [2 ** (part - 1) for part in (bits - bits // 2, bits // 2) if part]
    turns = rotations(seed, key_heads, rounds=rounds, width=width, columns=sum(halves)).to(tokens.device)
    turned = tokens.detach().float().reshape(key_heads, -1, width) @ turns  # (K, tokens, R · columns)
    found = torch.zeros((*turned.shape[:2], rounds), dtype=torch.long, device=tokens.device)
    # Per rotation, the bucket is the axis with the largest coordinate and its sign; rotations are combined as digits.
    for part in turned.unflatten(-1, (rounds, -1)).split(halves, dim=-1):
        axis = part.abs().argmax(-1, keepdim=True)  # (K, tokens, R, 1)
        negative = part.gather(-1, axis) < 0
        found = found * (2 * part.shape[-1]) + (axis + negative * part.shape[-1])[..., 0]
    return found.view(heads, length, rounds).transpose(1, 2)


@lru_cache(maxsize=64)
def rotations(seed: int, heads: int, rounds: int, width: int, columns: int) -> torch.Tensor:
    """Return (K, D, R · columns): random directions, a pure function of seed, head and sizes.

    Args:
        seed: Seed of the draw.
        heads: Key heads (K).
        rounds: Rounds of hashing (R).
        width: Head width (D).
        columns: Axes of all rotations of a round.

    The result is cached: do not change it in place.
    """
    drawn = []
    for head in range(heads):
        generator = torch.Generator().manual_seed((seed * 1_000_003 + head) % 2**63)
        drawn.append(torch.randn(width, rounds * columns, generator=generator))
    return torch.stack(drawn)
