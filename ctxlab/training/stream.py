"""Which windows make up step k: a pure function of (seed, epoch, step), so that resuming is a cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctxlab.core.types import Encoded, IntArray, Window
from ctxlab.data.sampler import plan_epoch

Read = Callable[[Encoded, int], list[Window]]


@dataclass(frozen=True, eq=False)
class Item:
    """One window of the training data."""

    document: int
    window: Window
    labels: IntArray
    """(W,) labels of the window's tokens."""


@dataclass(frozen=True, eq=False)
class Epoch:
    """All items at one context length, cut into steps."""

    items: Sequence[Item]
    lengths: Sequence[int]
    steps: Sequence[Sequence[int]]


class Stream:
    """The training windows, epoch by epoch."""

    def __init__(self, encoded: Sequence[Encoded], read: Read, tokens_per_step: int, seed: int) -> None:
        self._encoded, self._read = encoded, read
        self._tokens_per_step, self._seed = tokens_per_step, seed
        self._items: tuple[int, list[Item]] | None = None
        self._epoch: tuple[tuple[int, int], Epoch] | None = None

    def epoch(self, index: int, length: int) -> Epoch:
        """Epoch ``index`` with windows for a context of ``length``; the last one is kept."""
        if self._epoch is None or self._epoch[0] != (index, length):
            items = self._items_at(length)
            lengths = [len(item.window) for item in items]
            steps = plan_epoch(lengths, self._tokens_per_step, self._seed, index)
            self._epoch = (index, length), Epoch(items, lengths, steps)
        return self._epoch[1]

    def _items_at(self, length: int) -> list[Item]:
        if self._items is None or self._items[0] != length:
            items = [
                Item(index, window, window.labels(encoded))
                for index, encoded in enumerate(self._encoded)
                for window in self._read(encoded, length)
            ]
            self._items = length, items
        return self._items[1]
