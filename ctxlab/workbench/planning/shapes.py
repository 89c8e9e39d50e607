"""The shapes of the forward passes of training, from the items of an epoch, and short versions of its items."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.data.sampler import split_forward
from ctxlab.planning.shape import Load, Shape, largest
from ctxlab.runtime.forward import IN_DECODER, Passes, is_fused
from ctxlab.training.loop import Trainer
from ctxlab.training.stream import Epoch
from ctxlab.training.window_selection import SkippedWindows

HALVINGS = 12
"""Number of smaller values of ``trainer.tokens_per_forward`` that are looked at."""


def load(trainer: Trainer, epoch: Epoch) -> Load:
    """Return the work of an epoch, as the loop divides it into steps and forward passes."""
    whole = np.sum([group_shapes(trainer, items)[0].terms for items in groups(trainer, epoch)], axis=0)
    num_steps = len(epoch.steps)
    return Load(
        steps_per_epoch=num_steps,
        tokens_per_step=float(sum(epoch.lengths) / num_steps),
        terms_per_step=(whole / num_steps).tolist(),
        longest_window=max(len(window) for item in epoch.items for window in item.windows),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """A shape whose activations are in memory at the same time."""

    shape: Shape
    padded: bool
    """Whether its rows differ in length."""
    later: bool
    """Whether gradients of an earlier backward pass of its step are in memory too."""


def held(trainer: Trainer, epoch: Epoch) -> dict[int, list[Held]]:
    """Return tokens per forward pass → the largest shapes that are in memory at a time.

    The first entry is the run's own; each of the others has half the tokens of the one before it, down to a single
    item.
    """
    least = min(map(trainer.accumulation.passes.size, epoch.items))
    limit = own_limit(trainer)
    is_own_padded = any(is_padded(trainer, items) for items in groups(trainer, epoch))
    found: dict[int, list[Held]] = {}
    while not found or (limit >= least and len(found) <= HALVINGS):
        shapes: dict[tuple[bool, bool], set[Shape]] = defaultdict(set)
        for step in epoch.steps:
            is_first = True
            for items in _groups(trainer, epoch, step, limit):
                for shape in group_shapes(trainer, items)[1]:
                    shapes[is_own_padded and is_padded(trainer, items), not is_first].add(shape)
                    is_first = False
        found[limit] = [Held(shape, *kind) for kind, some in shapes.items() for shape in largest(some)]
        limit //= 2
    return found


def is_padded(trainer: Trainer, items: Sequence[Item]) -> bool:
    """Return whether a forward pass over ``items`` has padding."""
    widths = [len(window) for item in items for window in item.windows]
    return len({trainer.accumulation.passes.size(item) for item in items}) > 1 or trainer.accumulation.passes.width(
        max(widths)
    ) > max(widths)


def own_limit(trainer: Trainer) -> int:
    """Return the tokens of one forward pass of the run."""
    return trainer.settings.tokens_per_forward or trainer.settings.tokens_per_step


def group_shapes(trainer: Trainer, items: Sequence[Item]) -> tuple[Shape, list[Shape]]:
    """Return the shape of all that a group of items computes, and the shapes of what is in memory at the same time."""
    memory = trainer.job.strategy.memory
    passes = list(_passes(trainer, items))
    whole = sum(passes, Shape(0, 0))
    if not memory.sequential:
        return whole, passes
    width = memory.gradient_windows
    runs = [passes[start : start + width] for start in range(0, len(passes), width)]
    return whole, [sum(run, Shape(0, 0)) for run in runs]


def _passes(trainer: Trainer, items: Sequence[Item]) -> Iterator[Shape]:
    """Yield the shape of each forward pass over ``items``, see ``runtime.forward.Passes.run``."""
    strategy, passes, target_place = trainer.job.strategy, trainer.accumulation.passes, trainer.job.target_place
    sizes = [[_sizes(item, place, target_place) for place in range(len(item.windows))] for item in items]
    if is_fused(items[0].windows):
        yield fused_pass(strategy, passes, items)
    elif strategy.memory.sequential:
        for step in range(max(map(len, sizes))):
            yield _pass(strategy, passes, [row[step] for row in sizes if step < len(row)])
    elif strategy.positions.by_batch:
        groups: dict[tuple[tuple[int, int], ...], list[tuple[int, int]]] = {}
        for row in sizes:
            groups.setdefault(tuple(row), []).extend(row)
        for group in groups.values():
            yield _pass(strategy, passes, group)
    else:
        sides = [[size for row in sizes for size in row[side :: passes.sides]] for side in range(passes.sides)]
        yield sum((_pass(strategy, passes, side) for side in sides if side), Shape(0, 0))


def _sizes(item: Item, place: int, target_place: str | None) -> tuple[int, int]:
    """Return the tokens of a window, and those of its target in a decoder."""
    width, target = len(item.windows[place]), len(item.targets[place]) if target_place else 0
    if target_place == IN_DECODER:
        return width, max(target, 1)
    return width + max(target - 1, 0), 0


def _pass(strategy: Strategy, passes: Passes, sizes: Sequence[tuple[int, int]]) -> Shape:
    width = passes.width(max(width for width, _ in sizes)) + strategy.memory.num_added
    target = max(target for _, target in sizes)
    pairs = strategy.attention.pairs(width) + target * (target + width)
    return Shape(len(sizes) * width, len(sizes) * pairs, len(sizes) * target, pairs)


def fused_pass(strategy: Strategy, passes: Passes, items: Sequence[Item]) -> Shape:
    """Return the shape of a pass whose decoder reads all windows of an item together."""
    windows = [window for item in items for window in item.windows]
    width = passes.width(max(map(len, windows)))
    target = max(1, *(len(item.targets[0]) for item in items))
    kept = max(sum(int(np.asarray(window.kept).sum()) for window in item.windows) for item in items)
    own = strategy.attention.pairs(width)
    pairs = len(windows) * own + len(items) * target * (target + kept)
    return Shape(len(windows) * width, pairs, len(items) * target, own)


def groups(trainer: Trainer, epoch: Epoch) -> Iterator[list[Item]]:
    """Yield the items of each forward pass of an epoch."""
    for step in epoch.steps:
        yield from _groups(trainer, epoch, step, own_limit(trainer))


def _groups(trainer: Trainer, epoch: Epoch, step: Sequence[int], tokens_per_forward: int) -> Iterator[list[Item]]:
    """Yield the items of each forward pass of a step, as the loop divides it.

    Args:
        trainer: The loop.
        epoch: The epoch of the step.
        step: Indices of its items.
        tokens_per_forward: Most tokens of a pass.
    """
    sizes = {i: trainer.accumulation.passes.size(epoch.items[i]) for i in step}
    for group in split_forward(step, sizes, tokens_per_forward):
        yield [epoch.items[i] for i in group]


def shortened(item: Item, num_windows: int, width: int) -> Item:
    """Return an item with only its first windows, each cut to its first ``width`` tokens."""
    return replace(
        item,
        windows=[
            replace(
                window,
                input_ids=window.input_ids[:width],
                token_index=window.token_index[:width],
                kept=None if window.kept is None else window.kept[:width],
            )
            for window in item.windows[:num_windows]
        ],
        labels=[labels[:width] for labels in item.labels[:num_windows]],
        marks=[marks[:width] for marks in item.marks[:num_windows]],
        numbers=[numbers[:width] for numbers in item.numbers[:num_windows]],
        targets=item.targets[:num_windows],
    )


def short_epoch(items: Sequence[Item]) -> Epoch:
    """Return an epoch of one step with these items."""
    return Epoch(items, [len(item) for item in items], [range(len(items))], SkippedWindows(0, 0, 0, 0))
