"""A teacher: a trained model that reads documents in windows of its own, and tells its outputs at the tokens of others.

Shape legend: L tokens of a document, W tokens of a window, C outputs per token.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ctxlab.core.objective import Teacher, Told
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.strategy import Reading, Strategy
from ctxlab.core.types import ADDED, BoolArray, Encoded, FloatArray, IntArray, Merged
from ctxlab.runtime.forward import make_items


class RunTeacher(Teacher):
    """The model of a run with its strategy; it draws nothing, and nothing of it is trained."""

    def __init__(
        self, model: Any, strategy: Strategy, length: int, *, columns: Sequence[int] | None, reads_documents: bool
    ) -> None:
        """Store what it needs.

        Args:
            model: The model, with the strategy installed.
            strategy: Its strategy.
            length: Its context length in tokens.
            columns: Its outputs in the order of those that are taught; None where they are the same.
            reads_documents: Whether it reads windows of its own, rather than those of the model that it teaches.
        """
        self._model, self._strategy, self._length = model.eval().requires_grad_(False), strategy, length
        self._columns, self._reads_documents = columns, reads_documents

    @torch.no_grad()
    def tell(self, passes: PassRunner, items: Sequence[Item], documents: Sequence[Encoded]) -> Told:
        """Return its outputs for the tokens of ``items``."""
        through = passes.through(self._model, self._strategy)
        return self._read(through, items, documents) if self._reads_documents else self._follow(through, items)

    def _follow(self, through: PassRunner, items: Sequence[Item]) -> Told:
        """Read the windows of ``items`` themselves."""
        passed = list(through.run(items))
        rows = [(place, one.outputs[row]) for one in passed for row, place in enumerate(one.rows)]
        seen = torch.ones(1, dtype=torch.bool)
        return Told(passed, {p: self._sorted(outputs) for p, outputs in rows}, {p: seen for p, _ in rows})

    def _read(self, through: PassRunner, items: Sequence[Item], documents: Sequence[Encoded]) -> Told:
        """Read the documents of ``items`` in windows of its own, those of them that hold tokens of theirs."""
        passed: list[Passed] = []
        outputs, seen = {}, {}
        for number in dict.fromkeys(item.document for item in items):
            own = {
                (i, w): window.token_index
                for i, item in enumerate(items)
                if item.document == number
                for w, window in enumerate(item.windows)
            }
            asked = np.unique(np.concatenate(list(own.values())))
            windows = _Windows(self._strategy.reading, documents[number], asked[asked != ADDED], self._length)
            for group in windows.groups(room=sum(map(len, items))):
                for one in through.run([windows.items[i] for i in group]):
                    passed.append(one)
                    windows.take(group, one)
            merged = windows.merged()
            for place, index in own.items():
                found, seen[place] = at_tokens(merged, index, is_of_window=windows.are_whole)
                if found is not None:
                    outputs[place] = self._sorted(found)
        return Told(passed, outputs, seen)

    def _sorted(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs if self._columns is None else outputs[..., list(self._columns)]


class _Windows:
    """The teacher's windows of a document that hold tokens that are asked for, and what it says of them."""

    def __init__(self, reading: Reading, document: Encoded, asked: IntArray, length: int) -> None:
        items = make_items(0, document, reading.windows(document, length))
        self.items = [one for one in items if any(np.isin(w.token_index, asked).any() for w in one.windows)]
        self.are_whole = False
        """Whether its outputs are of whole windows, not of tokens."""
        self._reading, self._num_tokens = reading, len(document)
        self._outputs: dict[tuple[int, int], FloatArray] = {}
        """(item, window in it) → (W, C)"""

    def groups(self, room: int) -> Iterator[list[int]]:
        """Yield the numbers of items that share a pass: at most ``room`` tokens together, unless one alone has more."""
        group: list[int] = []
        for number, item in enumerate(self.items):
            if group and sum(len(self.items[i]) for i in group) + len(item) > room:
                yield group
                group = []
            group.append(number)
        if group:
            yield group

    def take(self, group: Sequence[int], passed: Passed) -> None:
        """Keep the outputs of a pass over a group."""
        self.are_whole = passed.outputs.dim() == 2
        for row, (i, w) in enumerate(passed.rows):
            width, found = len(self.items[group[i]].windows[w]), passed.outputs[row].float().cpu().numpy()
            self._outputs[group[i], w] = np.tile(found, (width, 1)) if self.are_whole else found[:width]

    def merged(self) -> Merged | None:
        """Return outputs (L, C) at the tokens of the document; None where nothing was read."""
        if not self._outputs:
            return None
        places = sorted(self._outputs)
        windows = [self.items[i].windows[w] for i, w in places]
        return self._reading.merge(windows, [self._outputs[place] for place in places], self._num_tokens)


def at_tokens(
    merged: Merged | None, index: IntArray, *, is_of_window: bool
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Return outputs (W, C) at the tokens of a window, or their mean (C,), and (W,) which of them were read.

    Args:
        merged: Outputs at the tokens of the document; None where nothing was read.
        index: (W,) tokens of the window in the document, or ``ADDED``.
        is_of_window: Whether the mean over the tokens that were read is wanted; it then stands for all of them.
    """
    if merged is None:
        return None, torch.zeros(len(index), dtype=torch.bool)
    seen: BoolArray = (index != ADDED) & merged.seen[index]
    if not seen.any():
        return None, torch.from_numpy(seen)
    if is_of_window:
        mean = merged.outputs[index[seen]].mean(axis=0, dtype=np.float64)
        return torch.from_numpy(mean.astype(np.float32)), torch.ones(len(index), dtype=torch.bool)
    return torch.from_numpy(np.where(seen[:, None], merged.outputs[index], np.float32(0))), torch.from_numpy(seen)
