"""Selection of the windows that training needs: those with a label or target, and those linked to one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ctxlab.core.passes import Item
from ctxlab.core.strategy import Strategy
from ctxlab.core.task import Task

Choose = Callable[[Item], list[int]]
"""Returns the indices of an item's windows that training needs; empty if none has a label or target."""


@dataclass(frozen=True, slots=True)
class SkippedWindows:
    """Windows that are skipped in an epoch because nothing could be learned from them."""

    windows: int
    tokens: int
    all_windows: int
    all_tokens: int
    whole: str = "an epoch"
    """What they are a part of."""

    def note(self) -> str | None:
        """Return a sentence for the report; None if no window is skipped."""
        if not self.windows:
            return None
        return (
            f"{self.windows:,} of {self.all_windows:,} training windows ({self.tokens / max(self.all_tokens, 1):.1%} "
            f"of the tokens of {self.whole}) have no label or target and were skipped."
        )


def window_chooser(strategy: Strategy, task: Task, *, generates: bool) -> Choose:
    """Return the function that selects the windows that a step puts through the model.

    Args:
        strategy: Decides which windows are linked: a reading that joins windows needs all of an item, and a memory all
            before the last one with a label; otherwise windows are independent.
        task: Decides which labels enter the loss.
        generates: Whether training uses target texts of windows instead of labels of their tokens.
    """

    def teaches(item: Item, place: int) -> bool:
        return len(item.targets[place]) > 0 if generates else task.has_loss(item.labels[place])

    def choose(item: Item) -> list[int]:
        chosen = [place for place in range(len(item.windows)) if teaches(item, place)]
        if chosen and strategy.reading.joins:
            return list(range(len(item.windows)))
        if chosen and strategy.memory.sequential:
            return list(range(chosen[-1] + 1))
        return chosen

    return choose


def choose_windows(items: Iterable[Item], choose: Choose, whole: str = "an epoch") -> tuple[list[Item], SkippedWindows]:
    """Return items without the windows that training does not need, and counts of the skipped ones.

    Args:
        items: With all their windows.
        choose: Returns the indices of the windows to keep.
        whole: What the items are, for the note on those that are skipped.
    """
    kept: list[Item] = []
    windows = tokens = all_windows = all_tokens = 0
    for item in items:
        part = _only(item, choose(item))
        all_windows, all_tokens = all_windows + len(item.windows), all_tokens + len(item)
        windows, tokens = windows + len(part.windows), tokens + len(part)
        if part.windows:
            kept.append(part)
    return kept, SkippedWindows(
        all_windows - windows, all_tokens - tokens, all_windows=all_windows, all_tokens=all_tokens, whole=whole
    )


def _only(item: Item, places: list[int]) -> Item:
    """Return ``item`` with only its windows at ``places``."""
    if len(places) == len(item.windows):
        return item
    return replace(
        item,
        windows=[item.windows[place] for place in places],
        labels=[item.labels[place] for place in places],
        marks=[item.marks[place] for place in places],
        numbers=[item.numbers[place] for place in places if item.numbers],
        targets=[item.targets[place] for place in places],
    )
