"""Forward passes dealt to the processes of a run, all of which get every result.

What a pass holds does not depend on the number of processes, so that its outputs are those of one process to the bit
(with as many threads a process). What is made of them is the same everywhere.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctxlab.runtime.cost import FlopCounter
from ctxlab.runtime.memory import run_within
from ctxlab.runtime.ranks import current

TOKENS_PER_HAND = 4096
"""Tokens that a process reads, if its passes are small, before it tells the others what came of them."""

Done = Callable[[int], None]
"""Is called with each number of tokens read."""


def run_shared(
    groups: Sequence[Sequence[int]],
    sizes: Sequence[int],
    run: Callable[[Sequence[int], Done], None],
    *,
    take: Callable[[int], npt.NDArray[Any]],
    put: Callable[[int, npt.NDArray[Any]], None],
    done: Done,
) -> None:
    """Run groups of items, each in one of the processes; then every process has the results of all items.

    Args:
        groups: Indices of the items of each group, the same in every process.
        sizes: Tokens of each item.
        run: Runs a group; after an error it must be possible to run it again.
        take: Returns the result of an item that was run here.
        put: Stores the result of an item that was run elsewhere.
        done: Is called with the tokens of all processes; operations are added to the active counters.

    Raises:
        UserError: A single item does not fit the memory.
        ProcessLost: Another process has ended.
    """
    ranks = current()
    if ranks.size == 1:
        run_within(groups, sizes, lambda group: run(group, done))
        return
    for hands in _rounds(groups, sizes, ranks.size):
        own = _Count(done)
        with FlopCounter() as counter:
            run_within([groups[i] for i in hands[ranks.rank]], sizes, lambda group, own=own: run(group, own))  # type: ignore[misc]
        figures = np.array([own.tokens, counter.total])
        found = ranks.exchange([figures, *(take(item) for i in hands[ranks.rank] for item in groups[i])])
        for rank, hand in enumerate(hands):
            if rank == ranks.rank:
                continue
            (tokens, operations), *results = found[rank]
            done(int(tokens))
            FlopCounter.add(float(operations))
            for item, result in zip((item for i in hand for item in groups[i]), results, strict=True):
                put(item, result)


class _Count:
    """Counts the tokens that this process reads."""

    def __init__(self, done: Done) -> None:
        self._done, self.tokens = done, 0

    def __call__(self, tokens: int) -> None:
        self.tokens += tokens
        self._done(tokens)


def _rounds(groups: Sequence[Sequence[int]], sizes: Sequence[int], processes: int) -> Iterator[list[list[int]]]:
    """Yield for each round the indices of the groups of each process.

    Between rounds results and signals are exchanged. A round has at least one group a process; more, if they are small.
    """
    costs = [float(sum(sizes[item] for item in group)) for group in groups]
    start = 0
    while start < len(groups):
        end, tokens = start, 0.0
        while end < len(groups) and (end - start < processes or tokens < processes * TOKENS_PER_HAND):
            tokens += costs[end]
            end += 1
        yield [[start + i for i in hand] for hand in share(costs[start:end], processes)]
        start = end


def share(costs: Sequence[float], hands: int) -> list[list[int]]:
    """Deal passes to hands, the costliest first, each to the hand that has least so far.

    Args:
        costs: Cost of each pass.
        hands: Number of hands.

    Returns:
        For each hand the indices of its passes, in their order.
    """
    dealt: list[list[int]] = [[] for _ in range(hands)]
    totals = [0.0] * hands
    for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
        hand = totals.index(min(totals))
        dealt[hand].append(index)
        totals[hand] += costs[index]
    return [sorted(one) for one in dealt]
