"""The windows of one document, and passes over them whose outputs make a score.

Shape legend: L tokens of a document, S copies of an item, P places of a window whose outputs are used, C outputs per
token, W tokens of a window, T tokens whose outputs make a score.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch

from ctxlab.core.explanation import Target
from ctxlab.core.passes import Item
from ctxlab.core.strategy import Memory
from ctxlab.core.types import Encoded, IntArray, Window
from ctxlab.runtime.explaining.embeddings import Expected, Mover
from ctxlab.runtime.explaining.merging import Share, merged, shares_of
from ctxlab.runtime.forward import Passes, make_items, model_call
from ctxlab.runtime.reader import Reader

Reduce = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Reduces outputs (B, W, C) with labels (B, W): ``Task.explained_outputs``."""


NEVER = 1 << 40
"""Windows after which a memory's state is detached, so that gradients pass through all of them."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Which outputs a score is made from."""

    shares: Mapping[int, Share]
    """By number of the window."""
    items: Sequence[int]
    """Items that have such a window."""
    num_rows: int
    """T"""


@dataclass(eq=False)
class Reads:
    """The windows that a document is read in, by item, and the model."""

    reader: Reader
    encoded: Encoded
    reduce: Reduce
    windows: Sequence[Window] = ()
    items: Sequence[Item] = ()
    first: list[int] = field(default_factory=list)
    """Number of the first window of each item."""
    pause: Callable[[int], None] = lambda _: None
    """Called before each forward pass with its tokens, when nothing is changed on the model and no gradient is kept."""
    _plans: dict[int, tuple[Target, Plan]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.windows = self.reader.strategy.reading.windows(self.encoded, self.reader.length)
        self.items = make_items(0, self.encoded, self.windows)
        self.num_tokens = len(self.encoded)
        self.first = np.cumsum([0, *(len(item.windows) for item in self.items)]).tolist()

    def plan(self, target: Target) -> Plan:
        """Return which outputs the score of a target is made from."""
        if id(target) not in self._plans:
            self._plans[id(target)] = target, self.new_plan(target.tokens)
        return self._plans[id(target)][1]

    def new_plan(self, tokens: IntArray) -> Plan:
        """Return which outputs the merged ones of some tokens (T,) are made from."""
        shares = shares_of(self.reader.strategy.reading, self.windows, self.num_tokens, tokens)
        return Plan(shares, sorted({self.item_of(number) for number in shares}), len(tokens))

    def item_of(self, window: int) -> int:
        """Return the number of the item that a window is in."""
        return int(np.searchsorted(self.first, window, side="right")) - 1

    def named(self, plan: Plan, i: int, outputs: Sequence[torch.Tensor]) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield number and outputs of each window of an item that the plan uses."""
        yield from zip(self.used(plan, i), outputs, strict=True)

    def used(self, plan: Plan, i: int) -> list[int]:
        """Return the numbers of the windows of an item that the plan uses."""
        return [number for number in range(self.first[i], self.first[i + 1]) if number in plan.shares]

    @torch.inference_mode()
    def merged(self, plan: Plan) -> torch.Tensor:
        """Return the merged outputs (T, C) of the document as it is."""
        own: dict[int, torch.Tensor] = {}
        for i in plan.items:
            own |= dict(self.named(plan, i, self.read(plan, i, [self.items[i]])[0]))
        return merged(plan.shares, own, plan.num_rows)

    def at_once(self, i: int) -> int:
        """Return how many copies of an item fit a pass."""
        return max(1, self.reader.tokens_per_forward // max(self.passes().size(self.items[i]), 1))

    def passes(self) -> Passes:
        """Return the runner of passes."""
        reader = self.reader
        return Passes(reader.strategy, model_call(reader.model), reader.pad_id, reader.device)

    def read(
        self, plan: Plan, i: int, copies: Sequence[Item], mover: Mover | None = None, shares: torch.Tensor | None = None
    ) -> list[list[torch.Tensor]]:
        """Return of each copy of an item the outputs (P, C) of each window that the plan uses.

        Args:
            plan: Which outputs are used.
            i: Number of the item.
            copies: Variants of it.
            mover: Moves the embeddings of these passes, if given.
            shares: (S,) how far those of each copy are moved.
        """
        used, count = self.used(plan, i), len(self.items[i].windows)
        found: list[dict[int, torch.Tensor]] = [{} for _ in copies]
        sequential = self.reader.strategy.memory.sequential
        steps = [[(c, w) for c in range(len(copies))] for w in range(count)] if sequential else [
            [(c, w) for c in range(len(copies)) for w in range(count)]
        ]  # fmt: skip
        self.pause(len(copies) * self.passes().size(self.items[i]))
        self.reader.model.eval()
        memory = self.reader.strategy.memory
        with self.reader.strategy.attention.reading(), _whole(memory) if mover else nullcontext():
            rest = iter(steps)
            self._expect(mover, copies, next(rest, None), shares)
            for passed in self.passes().run(copies):
                outputs = self.reduce(passed.outputs, passed.labels)
                for row, (c, w) in zip(outputs, passed.rows, strict=True):
                    number = self.first[i] + w
                    if number in plan.shares:
                        places = torch.as_tensor(plan.shares[number].places, device=row.device)
                        found[c][number] = row[places].float()
                self._expect(mover, copies, next(rest, None), shares)
        return [[own[number] for number in used] for own in found]

    def _expect(
        self,
        mover: Mover | None,
        copies: Sequence[Item],
        rows: Sequence[tuple[int, int]] | None,
        shares: torch.Tensor | None,
    ) -> None:
        """Tell the mover which windows the next pass has.

        Args:
            mover: Moves embeddings; None for a pass without.
            copies: The items.
            rows: (item, window) of each row.
            shares: (S,) how far those of each item are moved.
        """
        if mover is None:
            return
        assert shares is not None
        if rows is None:
            mover.expected = None
            return
        mover.expected = Expected([copies[c].windows[w] for c, w in rows], shares[[c for c, _ in rows]])


@contextmanager
def _whole(memory: Memory) -> Iterator[None]:
    """Within the block, gradients pass through all windows that a memory links."""
    before = memory.gradient_windows
    memory.gradient_windows = NEVER
    try:
        yield
    finally:
        memory.gradient_windows = before
