"""Which bucket a query or key falls into: angular hashing by random rotations.

Shape legend: H query heads, K key heads (H is a multiple), T tokens of one document, D head width, R rounds.
"""

from functools import lru_cache

import torch


def num_buckets(length: int, chunk: int) -> int:
    """Buckets for a document of ``length`` tokens: half a chunk of tokens in each on average, and a power of two."""
    return int(2 ** max(1, (2 * length // chunk).bit_length() - 1))


def hash_tokens(tokens: torch.Tensor, key_heads: int, rounds: int, buckets: int, seed: int) -> torch.Tensor:
    """The bucket of each token in each round, by the direction of its vector only.

    Args:
        tokens: Queries (H, T, D) or keys (K, T, D); both are turned by the rotations of their key head.
        key_heads: K.
        rounds: R.
        buckets: A power of two.
        seed: Of the rotations.

    Returns:
        (H or K, R, T) long.
    """
    heads, length, width = tokens.shape
    bits = buckets.bit_length() - 1
    halves = [2 ** (part - 1) for part in (bits - bits // 2, bits // 2) if part]
    turns = rotations(seed, key_heads, rounds, width, sum(halves)).to(tokens.device)
    turned = tokens.detach().float().reshape(key_heads, -1, width) @ turns
    found = torch.zeros((*turned.shape[:2], rounds), dtype=torch.long, device=tokens.device)
    for part in turned.unflatten(-1, (rounds, -1)).split(halves, dim=-1):
        axis = part.abs().argmax(-1, keepdim=True)
        behind = part.gather(-1, axis) < 0
        found = found * (2 * part.shape[-1]) + (axis + behind * part.shape[-1])[..., 0]
    return found.view(heads, length, rounds).transpose(1, 2)


@lru_cache(maxsize=64)
def rotations(seed: int, heads: int, rounds: int, width: int, columns: int) -> torch.Tensor:
    """(K, D, R · columns) directions, a pure function of seed, head and sizes; do not write into it."""
    drawn = []
    for head in range(heads):
        generator = torch.Generator().manual_seed((seed * 1_000_003 + head) % 2**63)
        drawn.append(torch.randn(width, rounds * columns, generator=generator))
    return torch.stack(drawn)
