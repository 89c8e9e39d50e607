"""Embeddings of input tokens that are moved towards those of absent tokens, and the gradients by them.

Shape legend: R windows of a pass, W tokens of the longest one, D width of the embeddings.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import token_tables
from ctxlab.core.explanation import ZERO
from ctxlab.core.types import ADDED, IntArray, Window


@dataclass(eq=False)
class Taken:
    """The embeddings of one pass."""

    moved: torch.Tensor
    """(R, W, D), of which gradients are asked."""
    way: torch.Tensor
    """(R, W, D) from absent tokens to those of the document; of added tokens, the embedding (``ZERO``) or 0."""


@dataclass(eq=False)
class Expected:
    """The pass that comes next."""

    windows: Sequence[Window]
    """Of each row."""
    shares: torch.Tensor
    """(R,) fraction of the way at which each row is."""


@dataclass(eq=False)
class Mover:
    """Moves the embeddings of the passes that it is told to expect."""

    baseline: str
    mask_id: int
    expected: Expected | None = None
    taken: list[Taken] = field(default_factory=list)
    _busy: bool = False

    def __call__(self, table: torch.nn.Module, given: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor | None:
        """Replace the output of an embedding table where it looks up the windows of the pass; a forward hook."""
        ids = given[0] if given else None
        if self._busy or self.expected is None or not isinstance(ids, torch.Tensor) or not self._fits(ids):
            return None
        index = _padded([window.token_index for window in self.expected.windows], ids.shape[1], ADDED)
        own = torch.as_tensor(index != ADDED, device=ids.device)[..., None]  # (R, W, 1)
        absent = torch.zeros_like(output) if self.baseline == ZERO else self._masked(table, ids)
        share = self.expected.shares.to(output)[:, None, None]
        moved = torch.where(own, absent + share * (output - absent), output).detach().requires_grad_()
        added = output if self.baseline == ZERO else torch.zeros_like(output)
        self.taken.append(Taken(moved, torch.where(own, output - absent, added).detach()))
        return moved

    def _fits(self, ids: torch.Tensor) -> bool:
        assert self.expected is not None
        rows = self.expected.windows
        if ids.ndim != 2 or len(ids) != len(rows) or ids.shape[1] < max(map(len, rows)):
            return False
        wanted = _padded([window.input_ids for window in rows], ids.shape[1], 0)
        real = _padded([np.ones(len(window), np.int64) for window in rows], ids.shape[1], 0) > 0
        return bool((ids.cpu().numpy() == wanted)[real].all())

    def _masked(self, table: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
        self._busy = True
        try:
            found: torch.Tensor = table(torch.full_like(ids[:1, :1], self.mask_id))
            return found.expand(*ids.shape, -1)
        finally:
            self._busy = False


@contextmanager
def moving(model: Any, baseline: str, mask_id: int) -> Iterator[Mover]:
    """Within the block, a mover is between the embedding tables of ``model`` and the rest; weights have no gradients.

    Args:
        model: A model of Transformers.
        baseline: ``ZERO`` or ``MASK``.
        mask_id: Token that stands for absent ones.
    """
    mover = Mover(baseline, mask_id)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with ExitStack() as stack:
        for table in token_tables(model):
            stack.callback(table.register_forward_hook(mover).remove)
        for parameter in learned:
            stack.callback(parameter.requires_grad_, True)
            parameter.requires_grad_(False)
        stack.enter_context(torch.enable_grad())
        yield mover


def _padded(rows: Sequence[IntArray], width: int, value: int) -> IntArray:
    found = np.full((len(rows), width), value, np.int64)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found
