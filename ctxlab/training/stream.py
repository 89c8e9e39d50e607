"""Which items make up step k: a pure function of (seed, epoch, step), so that resuming is a cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item
from ctxlab.core.types import Encoded, Window
from ctxlab.data.sampler import plan_epoch
from ctxlab.runtime.forward import make_items
from ctxlab.training.lessons import Choose, LeftOut, choose_windows

Read = Callable[[Encoded, int], list[Window]]
Resample = Callable[[Encoded, int], Encoded]


@dataclass(frozen=True, eq=False)
class Epoch:
    """A pass over the documents at one context length: the items that teach something, cut into steps."""

    items: Sequence[Item]
    lengths: Sequence[int]
    steps: Sequence[Sequence[int]]
    left_out: LeftOut


class Stream:
    """The training items, epoch by epoch."""

    def __init__(
        self,
        encoded: Sequence[Encoded],
        read: Read,
        resample: Resample,
        choose: Choose,
        tokens_per_step: int,
        seed: int,
        *,
        sort_all: bool = False,
    ) -> None:
        """Take the documents and how they become steps.

        Args:
            encoded: The training documents.
            read: Windows of a document at a context length.
            resample: A document as an epoch sees it.
            choose: Windows of an item that training needs.
            tokens_per_step: Tokens of a step at most, padding not counted.
            seed: Of the run.
            sort_all: Whether the whole epoch is sorted by length, and not only pools of it.
        """
        self._encoded, self._read, self._resample, self._choose = encoded, read, resample, choose
        self._tokens_per_step, self._seed, self._sort_all = tokens_per_step, seed, sort_all
        self._items: tuple[int, Sequence[Encoded], tuple[list[Item], LeftOut]] | None = None
        self._epoch: tuple[tuple[int, int], Epoch] | None = None

    def epoch(self, index: int, length: int) -> Epoch:
        """Epoch ``index`` with windows for a context of ``length``; the last one is kept.

        Raises:
            UserError: No window has anything to learn from.
        """
        if self._epoch is None or self._epoch[0] != (index, length):
            items, left_out = self._items_at(index, length)
            if not items:
                raise UserError(
                    f"No label or target of the {len(self._encoded)} training documents is in any of their windows at "
                    f"context.length={length}; give a longer context, or documents with gold."
                )
            lengths = [len(item) for item in items]
            steps = plan_epoch(lengths, self._tokens_per_step, self._seed, index, sort_all=self._sort_all)
            self._epoch = (index, length), Epoch(items, lengths, steps, left_out)
        return self._epoch[1]

    def _items_at(self, index: int, length: int) -> tuple[list[Item], LeftOut]:
        """Items that teach; those of the last epoch where neither length nor documents have changed."""
        documents = [self._resample(document, self._seed_of(index, i)) for i, document in enumerate(self._encoded)]
        if self._items is not None:
            old_length, old, chosen = self._items
            if old_length == length and all(a is b for a, b in zip(old, documents, strict=True)):
                return chosen
        items = (item for i, d in enumerate(documents) for item in make_items(i, d, self._read(d, length)))
        self._items = length, documents, choose_windows(items, self._choose)
        return self._items[2]

    def _seed_of(self, epoch: int, document: int) -> int:
        return int(np.random.SeedSequence((self._seed, epoch, document)).generate_state(1)[0])
