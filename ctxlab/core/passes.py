"""What goes through a model in one forward pass, and what comes out.

Shape legend: B windows of a pass, W tokens of the longest one, C outputs per token, T target tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ctxlab.core.strategy import Strategy
from ctxlab.core.types import IntArray, Window


@dataclass(frozen=True, eq=False)
class Item:
    """Windows of one document that belong together: a single one, or several in order that something links."""

    document: int
    windows: Sequence[Window]
    labels: Sequence[IntArray]
    """(W,) labels of each window's tokens."""
    marks: Sequence[IntArray]
    """(W,) marks of each window's tokens."""
    targets: Sequence[IntArray] = ()
    """(T,) what is to be written behind each window; none where nothing is."""

    def __len__(self) -> int:
        """Tokens of all windows."""
        return sum(map(len, self.windows))


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
    width: int
    """Tokens of the longest row, what is written included."""
    cut: bool
    """Whether no later pass sends a gradient back through this one."""


class PassRunner(Protocol):
    """Runs items through a model under a strategy; see ``runtime.forward.Passes``."""

    def run(self, items: Sequence[Item]) -> Iterator[Passed]:
        """One pass over all windows of ``items``, or one over the n-th windows of all of them after the other."""
        ...

    def through(self, model: Any, strategy: Strategy) -> "PassRunner":
        """The same items through another ``model`` that has ``strategy`` in it, such as one to learn from."""
        ...
