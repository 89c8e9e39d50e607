"""The model sees as many tokens of a document as fit, and nothing else."""

from collections.abc import Callable, Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, FloatArray, IntArray, Merged, Window
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import Base
from ctxlab.strategies.reading.windows.framing import frame, room

KEEP: dict[str, Callable[[int, int], IntArray]] = {
    "head": lambda num, fits: np.arange(fits),
    "tail": lambda num, fits: np.arange(num - fits, num),
    "middle": lambda num, fits: np.arange(fits) + (num - fits) // 2,
    "head_tail": lambda num, fits: np.concatenate([np.arange(fits - fits // 2), np.arange(num - fits // 2, num)]),
}
"""Tokens kept of ``num`` where ``fits`` of them fit."""


class Truncate(Base):
    """Keeps the head, the tail, the middle, or half from the head and half from the tail.

    As many tokens as the context has, or as the model was trained for where that is less and nothing stretches it.

    Source: the usual script; head and tail together after Sun et al. 2019 (arXiv:1905.05583), which keeps 128 and 382
    tokens where this keeps equal halves (the head gets the odd one).
    """

    covers = False

    def __init__(self, keep: str = "head") -> None:
        """Take which part of the document to ``keep``: head, tail, head_tail or middle."""
        if keep not in KEEP:
            raise UserError(f"strategy.reading.keep={keep} is not one of {', '.join(KEEP)}.")
        self.keep = keep
        self.contiguous = keep != "head_tail"

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """One window, or none for a document without tokens."""
        fits = min(room(encoded, self.longest(length), length), len(encoded))
        if not fits:
            return []
        return [frame(encoded, KEEP[self.keep](len(encoded), fits))]

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """What was cut off is not seen."""
        return merging.first(windows, outputs, num_tokens)
