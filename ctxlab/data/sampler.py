"""Division of items into training steps and forward passes: pure functions of lengths, seed and epoch."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ctxlab.core.types import IntArray

STEPS_PER_POOL = 64
"""Items of this many steps are sorted by length together: enough for little padding, few enough to stay random."""

JITTER = 0.02
"""Relative random change of a length before sorting, so that neighbours differ between epochs."""


PADDING_PER_FORWARD = 0.04
"""A new forward pass is started once its padding exceeds this fraction of ``tokens_per_forward``."""


def plan_epoch(
    lengths: Sequence[int], tokens_per_step: int, seed: int, epoch: int, *, sort_all: bool = False
) -> list[list[int]]:
    """Return the steps of one epoch, each a list of item indices; every item occurs once.

    Items are shuffled, divided into pools, sorted by length within a pool and filled into steps, whose order is
    shuffled.

    Args:
        lengths: Tokens of each item.
        tokens_per_step: Maximum tokens of a step, without padding; a longer item is a step of its own.
        seed: Seed of the run; with ``epoch`` it determines the plan.
        epoch: Index of the pass over the items.
        sort_all: Whether the whole epoch is one pool, sorted exactly.
    """
    if tokens_per_step < 1:
        raise ValueError(f"tokens_per_step={tokens_per_step} is too small: give at least 1.")
    random = np.random.default_rng((seed % 2**63, epoch))
    sizes = np.asarray(lengths, dtype=np.int64)
    jitter = 0.0 if sort_all else JITTER
    keys = sizes * random.uniform(1 - jitter, 1 + jitter, len(sizes))
    shuffled = random.permutation(len(sizes))
    edges = [0, len(sizes)] if sort_all else _cuts(sizes[shuffled], STEPS_PER_POOL * tokens_per_step)
    steps: list[list[int]] = []
    for start, end in pairwise(edges):
        pool = shuffled[start:end]
        pool = pool[np.argsort(-keys[pool], kind="stable")]
        items = pool.tolist()
        steps += [items[begin:stop] for begin, stop in pairwise(_cuts(sizes[pool], tokens_per_step))]
    return [steps[i] for i in random.permutation(len(steps))]


def _cuts(sizes: IntArray, budget: int) -> list[int]:
    """Divide items into runs of at most ``budget`` tokens, or of one item.

    Args:
        sizes: (N,) tokens of each item.
        budget: Maximum tokens of a run.

    Returns:
        The first item of each run, and N.
    """
    before = np.concatenate([[0], np.cumsum(sizes)])  # (N + 1,) tokens of all items before each
    ends = np.searchsorted(before, before[:-1] + budget, side="right") - 1  # (N,) of a run that began with each item
    found, start = [0], 0
    after: list[int] = np.maximum(ends, np.arange(1, len(sizes) + 1)).tolist()
    while start < len(sizes):
        start = after[start]
        found.append(start)
    return found


def split_forward(
    items: Sequence[int], lengths: Sequence[int] | Mapping[int, int], tokens_per_forward: int
) -> list[list[int]]:
    """Divide items into forward passes of at most ``tokens_per_forward`` tokens, including padding, or of one item.

    The longest come first, so that items of similar length share a pass and a lack of memory shows at once.
    """
    groups: list[list[int]] = []
    width = padding = 0
    for item in sorted(items, key=lengths.__getitem__, reverse=True):
        padding += width - lengths[item]
        is_full = groups and (len(groups[-1]) + 1) * width > tokens_per_forward
        if not groups or is_full or padding > PADDING_PER_FORWARD * tokens_per_forward:
            groups.append([])
            width, padding = lengths[item], 0
        groups[-1].append(item)
    return groups
