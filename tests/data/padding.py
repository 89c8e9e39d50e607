"""The padding in batches, by counting positions."""

from collections.abc import Sequence


def padding_share(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Share of the positions of rectangular ``batches`` (item indices) that holds no token."""
    positions = sum(len(batch) * max(lengths[item] for item in batch) for batch in batches)
    return 1 - sum(lengths[item] for batch in batches for item in batch) / positions if positions else 0.0
