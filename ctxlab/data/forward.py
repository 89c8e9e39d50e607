"""Windows through a model: which share a forward pass, in what order, and what comes out where.

Shape legend: B windows of a pass, W tokens of the longest one, C outputs per token.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.strategy import Forward, Strategy
from ctxlab.core.types import Encoded, IntArray, Window
from ctxlab.data.collate import collate


@dataclass(frozen=True, eq=False)
class Item:
    """Windows of one document that belong together: a single one, or several in order that something links."""

    document: int
    windows: Sequence[Window]
    labels: Sequence[IntArray]
    """(W,) labels of each window's tokens."""
    marks: Sequence[IntArray]
    """(W,) marks of each window's tokens."""

    def __len__(self) -> int:
        """Tokens of all windows."""
        return sum(map(len, self.windows))


def make_items(document: int, encoded: Encoded, windows: Sequence[Window]) -> list[Item]:
    """The windows of a document, cut before each one that begins anew."""
    runs: list[list[Window]] = []
    for window in windows:
        if window.begins or not runs:
            runs.append([])
        runs[-1].append(window)
    return [Item(document, run, [w.labels(encoded) for w in run], [w.marks(encoded) for w in run]) for run in runs]


@dataclass(frozen=True, eq=False)
class Passed:
    """What one forward pass gave."""

    outputs: torch.Tensor
    """(B, W, C)"""
    labels: torch.Tensor
    """(B, W)"""
    rows: Sequence[tuple[int, int]]
    """(item, window in it) behind each row."""
    tokens: int
    """Without padding."""
    cut: bool
    """Whether no later pass sends a gradient back through this one."""


class Passes:
    """Runs items through a model under a strategy."""

    def __init__(self, strategy: Strategy, forward: Forward, pad_id: int, device: torch.device) -> None:
        self._strategy, self._forward, self._pad_id, self._device = strategy, forward, pad_id, device

    def size(self, item: Item) -> int:
        """Tokens of an item whose activations are held at the same time."""
        memory = self._strategy.memory
        held = item.windows[: memory.gradient_windows] if memory.sequential else item.windows
        return sum(len(window) + memory.num_added for window in held)

    def run(self, items: Sequence[Item]) -> Iterator[Passed]:
        """One pass over all windows of ``items``, or one over the n-th windows of all of them after the other."""
        memory = self._strategy.memory
        if not memory.sequential:
            rows = [(i, w) for i, item in enumerate(items) for w in range(len(item.windows))]
            inputs, labels = self._inputs(items, rows)
            outputs, _ = memory.step(self._forward, inputs, memory.start(len(rows)))
            yield self._passed(items, rows, outputs, labels, cut=True)
            return
        longest_first = sorted(range(len(items)), key=lambda i: len(items[i].windows), reverse=True)
        state, num_steps = memory.start(len(items)), len(items[longest_first[0]].windows)
        for step in range(num_steps):
            rows = [(i, step) for i in longest_first if step < len(items[i].windows)]
            inputs, labels = self._inputs(items, rows)
            outputs, state = memory.step(self._forward, inputs, memory.first(state, len(rows)))
            cut = (step + 1) % memory.gradient_windows == 0 or step + 1 == num_steps
            state = memory.detach(state) if cut else state
            yield self._passed(items, rows, outputs, labels, cut=cut)

    def _inputs(
        self, items: Sequence[Item], rows: Sequence[tuple[int, int]]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """What the model is given, and the labels (B, W)."""
        reading, attention = self._strategy.reading, self._strategy.attention
        marks = [items[i].marks[w] for i, w in rows] if attention.wants_marks else None
        windows, labels = [items[i].windows[w] for i, w in rows], [items[i].labels[w] for i, w in rows]
        batch = collate(windows, labels, self._pad_id, marks)
        if reading.joins:
            batch["groups"] = torch.tensor([i for i, _ in rows])
        batch = {name: tensor.to(self._device) for name, tensor in batch.items()}
        return batch, batch.pop("labels")

    def _passed(
        self,
        items: Sequence[Item],
        rows: Sequence[tuple[int, int]],
        outputs: torch.Tensor,
        labels: torch.Tensor,
        *,
        cut: bool,
    ) -> Passed:
        return Passed(outputs, labels, rows, sum(len(items[i].windows[w]) for i, w in rows), cut)


def model_call(model: Any) -> Callable[..., Any]:
    """``model`` as memories call it: with one mapping of named inputs."""
    return lambda inputs: model(**inputs)
