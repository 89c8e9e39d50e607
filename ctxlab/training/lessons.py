"""Which windows training needs: those with a label or target, and those that something links to one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task

Teaches = Callable[[Item, int], bool]
"""Whether a window of an item, by its place in it, has anything that the loss counts."""

Choose = Callable[[Item], list[int]]
"""Places of the windows of an item that training needs; none where the item teaches nothing."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a pass over the documents does not put through the model, as nothing would be learned from it."""

    windows: int
    tokens: int
    all_windows: int
    all_tokens: int

    def note(self) -> str | None:
        """The sentence for a report; None where everything was needed."""
        if not self.windows:
            return None
        return (
            f"{self.windows:,} of {self.all_windows:,} training windows ({self.tokens / max(self.all_tokens, 1):.1%} "
            "of the tokens of a pass) hold no label or target, and were not put through the model."
        )


def chooser(strategy: Strategy, task: Task, *, writes: bool) -> Choose:
    """How the windows are chosen that a step puts through the model.

    Args:
        strategy: Says what links windows: a reading that joins them needs all of an item, and a memory those before the
            last one that teaches; otherwise each window stands by itself.
        task: Says which labels it learns from.
        writes: Whether what is learned are targets behind windows, and not labels of their tokens.
    """

    def teaches(item: Item, place: int) -> bool:
        return len(item.targets[place]) > 0 if writes else task.has_loss(item.labels[place])

    def choose(item: Item) -> list[int]:
        chosen = [place for place in range(len(item.windows)) if teaches(item, place)]
        if chosen and strategy.reading.joins:
            return list(range(len(item.windows)))
        if chosen and strategy.memory.sequential:
            return list(range(chosen[-1] + 1))
        return chosen

    return choose


def choose_windows(items: Iterable[Item], choose: Choose) -> tuple[list[Item], LeftOut]:
    """``items`` without the windows that training does not need, and what these were."""
    kept: list[Item] = []
    windows = tokens = all_windows = all_tokens = 0
    for item in items:
        part = _only(item, choose(item))
        all_windows, all_tokens = all_windows + len(item.windows), all_tokens + len(item)
        windows, tokens = windows + len(part.windows), tokens + len(part)
        if part.windows:
            kept.append(part)
    return kept, LeftOut(all_windows - windows, all_tokens - tokens, all_windows, all_tokens)


def _only(item: Item, places: list[int]) -> Item:
    """``item`` with its windows at ``places`` alone."""
    if len(places) == len(item.windows):
        return item
    return replace(
        item,
        windows=[item.windows[place] for place in places],
        labels=[item.labels[place] for place in places],
        marks=[item.marks[place] for place in places],
        targets=[item.targets[place] for place in places],
    )
