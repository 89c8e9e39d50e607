"""Division of items into training steps and forward passes: pure functions of lengths, seed and epoch."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count, pairwise

import numpy as np

from ctxlab.core.types import IntArray

STEPS_PER_POOL = 64
"""Items of this many steps are sorted by length together: enough for little padding, few enough to stay random."""

JITTER = 0.02
"""Relative random change of a length before sorting, so that neighbours differ between epochs."""


PADDING_PER_FORWARD = 0.04
"""A new forward pass is started once its padding exceeds this fraction of ``tokens_per_forward``."""


EPOCHS = 2**32
"""More than the epochs of any run: a member's further passes within an epoch are numbered beyond them."""


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


def plan_members(
    lengths: Sequence[int],
    members: Sequence[int],
    shares: Sequence[float],
    tokens_per_step: int,
    seed: int,
    epoch: int,
    *,
    sort_all: bool = False,
) -> list[list[int]]:
    """Return the steps of one epoch over the items of several members, each with items of one of them.

    There are as many steps as in a pass over the items of every member. The member of each is drawn by its share, and
    takes the next step of its own passes, of which it makes as many as are needed; its next epoch begins a new one.

    Args:
        lengths: Tokens of each item.
        members: Member of each item.
        shares: How often each member is drawn; those without an item are left out.
        tokens_per_step: As in ``plan_epoch``.
        seed: Seed of the run; with ``epoch`` it determines the plan.
        epoch: Index of the epoch.
        sort_all: As in ``plan_epoch``.
    """
    own = {number: np.flatnonzero(np.asarray(members) == number) for number in dict.fromkeys(sorted(members))}

    def steps_of(number: int, turn: int) -> Iterator[list[int]]:
        sizes = [lengths[i] for i in own[number].tolist()]
        for step in plan_epoch(sizes, tokens_per_step, seed, epoch + turn * EPOCHS, sort_all=sort_all):
            yield own[number][step].tolist()

    passes = {number: list(steps_of(number, 0)) for number in own}
    if len(passes) == 1:
        return next(iter(passes.values()))
    chances = np.asarray([shares[number] for number in passes], np.float64)
    random = np.random.default_rng((seed % 2**63, epoch, len(passes)))
    drawn = random.choice(list(passes), size=sum(map(len, passes.values())), p=chances / chances.sum())

    def further(number: int) -> Iterator[list[int]]:
        for turn in count(1):
            yield from steps_of(number, turn)

    following = {number: chain(found, further(number)) for number, found in passes.items()}
    return [next(following[number]) for number in drawn.tolist()]


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
