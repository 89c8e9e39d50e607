"""The inputs and outputs of one forward pass.

Shape legend: B windows of a pass, W tokens of the longest one, C outputs per token, T target tokens, F
numbers of a token.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ctxlab.core.strategy import Strategy
from ctxlab.core.types import FloatArray, IntArray, Window


@dataclass(frozen=True, eq=False)
class Item:
    """Windows of one document that are processed together: a single one, or several in order linked by memory."""

    document: int
    windows: Sequence[Window]
    labels: Sequence[IntArray]
    """(W,) labels of each window's tokens."""
    marks: Sequence[IntArray]
    """(W,) marks of each window's tokens."""
    targets: Sequence[IntArray] = ()
    """(T,) target tokens of each window, or of all windows that a decoder reads together, with the first of them; empty
    for tasks without targets."""
    numbers: Sequence[FloatArray] = ()
    """(W, F) numbers of each window's tokens; F is 0 where tokens have none, as where this is empty."""
    member: int = 0
    """Member of the task that the document is for."""

    def __len__(self) -> int:
        """Return the number of tokens of all windows."""
        return sum(map(len, self.windows))


@dataclass(frozen=True, eq=False)
class Passed:
    """The result of one forward pass."""

    outputs: torch.Tensor
    """(B, W, C); a row for each item where a decoder reads its windows together."""
    labels: torch.Tensor
    """(B, W)"""
    rows: Sequence[tuple[int, int]]
    """(item, window in it) of each row; the first window where a decoder reads those of an item together."""
    tokens: int
    """Number of tokens without padding."""
    width: int
    """Tokens of the longest row, target included."""
    cut: bool
    """Whether no later pass backpropagates through this one."""
    padded_tokens: int
    """Number of tokens with padding."""
    member: int = 0
    """Member of the task that all rows are for."""


class PassRunner(Protocol):
    """Runs items through a model under a strategy; see ``runtime.forward.Passes``."""

    def run(self, items: Sequence[Item]) -> Iterator[Passed]:
        """Run all windows of ``items`` in one pass or, where windows are linked, the n-th windows of all in pass n."""
        ...

    def through(self, model: Any, strategy: Strategy) -> "PassRunner":
        """Return a runner of items through another ``model`` with ``strategy`` installed, such as a teacher."""
        ...
