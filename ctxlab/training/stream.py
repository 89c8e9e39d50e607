"""The items of each step as a pure function of (seed, epoch, step), so that resuming needs only a cursor."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.passes import Item
from ctxlab.core.types import DoubleArray, Encoded, IntArray, Window
from ctxlab.data.sampler import plan_epoch, plan_members
from ctxlab.runtime.forward import make_items
from ctxlab.training.window_selection import Choose, SkippedWindows, choose_windows

Difficulty = Callable[[Sequence[Sequence[Window]], DoubleArray | None], DoubleArray]
Read = Callable[[Encoded, int], list[Window]]
Resample = Callable[[Encoded, int], Encoded]
Renew = Callable[[int, int], Encoded | None]
"""Returns a document, by its place, as an epoch sees it; None where it is as it was."""


@dataclass(frozen=True, eq=False)
class Epoch:
    """A pass over the documents at one context length: the items with labels or targets, divided into steps."""

    items: Sequence[Item]
    lengths: Sequence[int]
    steps: Sequence[Sequence[int]]
    skipped: SkippedWindows
    share: float = 1.0
    """Fraction of the training data in it; below 1 for a block of a large file, and where only some are admitted."""

    @property
    def steps_per_pass(self) -> float:
        """Return the steps of a pass over all documents, as far as they are known from this part of it."""
        return len(self.steps) / self.share


class Stream:
    """The training items of each epoch."""

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
        difficulty: Difficulty | None = None,
        renew: Renew | None = None,
        shares: Sequence[float] = (),
    ) -> None:
        """Store the documents and the functions that divide them into steps.

        Args:
            encoded: The training documents.
            read: Returns the windows of a document at a context length.
            resample: A document as an epoch sees it.
            choose: Returns the windows of an item that training needs.
            tokens_per_step: Maximum tokens of a step, without padding.
            seed: Seed of the run.
            sort_all: Whether the whole epoch is sorted by length, not only pools of it.
            difficulty: Decides which items are admitted first; None if all of them always are.
            renew: Changes documents before they are resampled; None for a training without augmentation.
            shares: How often steps of each member of the task are drawn; empty for a task without members.
        """
        self._encoded, self._read, self._resample, self._choose = encoded, read, resample, choose
        self._tokens_per_step, self._seed, self._sort_all = tokens_per_step, seed, sort_all
        self._renew, self._shares = renew, shares
        self._items: tuple[int, tuple[list[Item], SkippedWindows]] | None = None
        """Items at a length, where no document is resampled."""
        self._difficulty = difficulty
        self._epoch: tuple[tuple[Any, ...], Epoch] | None = None

    @property
    def documents(self) -> Sequence[Encoded]:
        """Return the documents that items name by number, as they are before an epoch resamples them."""
        return self._encoded

    def epoch(self, index: int, length: int, share: float = 1.0, losses: Sequence[float] = ()) -> Epoch:
        """Return epoch ``index`` with windows for a context of ``length``; the last one is cached.

        Args:
            index: Number of the epoch.
            length: Context length in tokens.
            share: Fraction of the items that are admitted, the easiest; more where others are as easy.
            losses: Loss of each document where the difficulty depends on it.

        Raises:
            UserError: No window has a label or target.
        """
        key = (index, length, share, *losses)
        if self._epoch is None or self._epoch[0] != key:
            items, skipped = self._items_at(index, length)
            if not items:
                raise UserError(
                    f"No label or target of the {len(self._encoded)} training documents is in any of their windows at "
                    f"context.length={length}; give a longer context, or documents with gold."
                )
            lengths = [len(item) for item in items]
            admitted = self._admitted(items, share, losses)
            steps = [admitted[step].tolist() for step in self._planned([items[i] for i in admitted], index)]
            self._epoch = key, Epoch(items, lengths, steps, skipped=skipped, share=len(admitted) / len(items))
        return self._epoch[1]

    def _planned(self, items: Sequence[Item], index: int) -> list[list[int]]:
        """Return the steps of an epoch over ``items``, each a list of their indices."""
        lengths = [len(item) for item in items]
        if not self._shares:
            return plan_epoch(lengths, self._tokens_per_step, self._seed, index, sort_all=self._sort_all)
        return plan_members(
            lengths,
            [item.member for item in items],
            self._shares,
            tokens_per_step=self._tokens_per_step,
            seed=self._seed,
            epoch=index,
            sort_all=self._sort_all,
        )

    def _admitted(self, items: Sequence[Item], share: float, losses: Sequence[float]) -> IntArray:
        """Return the indices of the easiest ``share`` of the items, and of those that are as easy, in their order."""
        if self._difficulty is None or share >= 1:
            return np.arange(len(items))
        known = np.asarray([losses[item.document] for item in items]) if losses else None
        found = self._difficulty([item.windows for item in items], known)
        limit = np.sort(found)[max(math.ceil(share * len(items)), 1) - 1]
        return np.flatnonzero(found <= limit)

    def _items_at(self, index: int, length: int) -> tuple[list[Item], SkippedWindows]:
        """Return the items with labels or targets; cached if neither length nor documents have changed."""
        if self._items is not None and self._items[0] == length and not any(map(_is_new, self._drawn(index))):
            return self._items[1]
        is_resampled = False

        def items() -> Iterator[Item]:
            nonlocal is_resampled
            for i, pair in enumerate(self._drawn(index)):
                is_resampled |= _is_new(pair)
                yield from make_items(i, pair[1], self._read(pair[1], length))

        chosen = choose_windows(items(), self._choose)
        self._items = None if is_resampled else (length, chosen)
        return chosen

    def _drawn(self, index: int) -> Iterator[tuple[Encoded, Encoded]]:
        """Yield each document, and as the epoch sees it; one at a time, since they may be mapped from a file."""
        for i, document in enumerate(self._encoded):
            renewed = None if self._renew is None else self._renew(index, i)
            yield document, self._resample(document if renewed is None else renewed, self._seed_of(index, i))

    def _seed_of(self, epoch: int, document: int) -> int:
        return int(np.random.SeedSequence((self._seed, epoch, document)).generate_state(1)[0])


def _is_new(pair: tuple[Encoded, Encoded]) -> bool:
    """Return whether a document differs from how an epoch sees it."""
    return pair[0] is not pair[1]
