"""Which items make up step k: a pure function of (seed, epoch, step), so that resuming is a cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.passes import Item
from ctxlab.core.types import Encoded, Window
from ctxlab.data.sampler import plan_epoch
from ctxlab.runtime.forward import make_items

Read = Callable[[Encoded, int], list[Window]]
Renew = Callable[[Encoded, int], Encoded]


@dataclass(frozen=True, eq=False)
class Epoch:
    """All items at one context length, cut into steps."""

    items: Sequence[Item]
    lengths: Sequence[int]
    steps: Sequence[Sequence[int]]


class Stream:
    """The training items, epoch by epoch."""

    def __init__(
        self,
        encoded: Sequence[Encoded],
        read: Read,
        renew: Renew,
        tokens_per_step: int,
        seed: int,
        *,
        sort_all: bool = False,
    ) -> None:
        """Take how a document is read, how an epoch sees it, and how items are put into steps."""
        self._encoded, self._read, self._renew = encoded, read, renew
        self._tokens_per_step, self._seed, self._sort_all = tokens_per_step, seed, sort_all
        self._items: tuple[int, Sequence[Encoded], list[Item]] | None = None
        self._epoch: tuple[tuple[int, int], Epoch] | None = None

    def epoch(self, index: int, length: int) -> Epoch:
        """Epoch ``index`` with windows for a context of ``length``; the last one is kept."""
        if self._epoch is None or self._epoch[0] != (index, length):
            items = self._items_at(index, length)
            lengths = [len(item) for item in items]
            steps = plan_epoch(lengths, self._tokens_per_step, self._seed, index, sort_all=self._sort_all)
            self._epoch = (index, length), Epoch(items, lengths, steps)
        return self._epoch[1]

    def _items_at(self, index: int, length: int) -> list[Item]:
        """Items of an epoch; those of the last one where neither length nor documents have changed."""
        documents = [self._renew(document, self._seed_of(index, i)) for i, document in enumerate(self._encoded)]
        if self._items is not None:
            old_length, old, items = self._items
            if old_length == length and all(a is b for a, b in zip(old, documents, strict=True)):
                return items
        items = [item for i, d in enumerate(documents) for item in make_items(i, d, self._read(d, length))]
        self._items = length, documents, items
        return items

    def _seed_of(self, epoch: int, document: int) -> int:
        return int(np.random.SeedSequence((self._seed, epoch, document)).generate_state(1)[0])
