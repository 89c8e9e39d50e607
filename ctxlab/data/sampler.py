"""Which items make up a step: pure functions of lengths, seed and epoch."""

from collections.abc import Mapping, Sequence

import numpy as np

STEPS_PER_POOL = 64
"""Items worth this many steps are sorted by length together: enough for little padding, few enough to stay random."""

JITTER = 0.02
"""Random change of a length before sorting, so that neighbours differ from epoch to epoch."""


PADDING_PER_FORWARD = 0.04
"""Padding that a forward pass takes on before another one is begun, as a share of ``tokens_per_forward``."""


def plan_epoch(
    lengths: Sequence[int], tokens_per_step: int, seed: int, epoch: int, *, sort_all: bool = False
) -> list[list[int]]:
    """Steps of one epoch, each a list of item indices; every item occurs once.

    Items are shuffled, cut into pools, sorted by length within a pool and filled into steps, whose order is shuffled.

    Args:
        lengths: Tokens of each item.
        tokens_per_step: Tokens of a step at most, padding not counted; a longer item is a step by itself.
        seed: Of the run; with ``epoch`` it determines the plan.
        epoch: Index of the pass over the items.
        sort_all: Whether the whole epoch is one pool, sorted exactly.
    """
    if tokens_per_step < 1:
        raise ValueError(f"tokens_per_step={tokens_per_step} holds no token: give at least 1.")
    random = np.random.default_rng((seed % 2**63, epoch))
    sizes = np.asarray(lengths, dtype=np.int64)
    jitter = 0.0 if sort_all else JITTER
    keys = sizes * random.uniform(1 - jitter, 1 + jitter, len(sizes))
    shuffled = random.permutation(len(sizes)).tolist()
    pools = [shuffled] if sort_all else _cut(shuffled, sizes, STEPS_PER_POOL * tokens_per_step)
    steps = [
        step
        for pool in pools
        for step in _cut(sorted(pool, key=keys.__getitem__, reverse=True), sizes, tokens_per_step)
    ]
    return [steps[i] for i in random.permutation(len(steps))]


def _cut(items: Sequence[int], sizes: Sequence[int] | np.ndarray, budget: int) -> list[list[int]]:
    """Runs of consecutive items of at most ``budget`` tokens, or of one item."""
    runs: list[list[int]] = []
    left = 0
    for item in items:
        size = int(sizes[item])
        if not runs or size > left:
            runs.append([])
            left = budget
        runs[-1].append(item)
        left -= size
    return runs


def split_forward(
    items: Sequence[int], lengths: Sequence[int] | Mapping[int, int], tokens_per_forward: int
) -> list[list[int]]:
    """Forward passes of at most ``tokens_per_forward`` tokens, padding included, or of one item.

    Longest first, so that items of like length share a pass and a lack of memory shows at once.
    """
    parts: list[list[int]] = []
    width = padding = 0
    for item in sorted(items, key=lengths.__getitem__, reverse=True):
        padding += width - lengths[item]
        is_full = parts and (len(parts[-1]) + 1) * width > tokens_per_forward
        if not parts or is_full or padding > PADDING_PER_FORWARD * tokens_per_forward:
            parts.append([])
            width, padding = lengths[item], 0
        parts[-1].append(item)
    return parts
