"""Only as many tokens of a document as fit the context are read."""

from collections.abc import Callable, Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, FloatArray, IntArray, Merged, Window
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import BaseReading
from ctxlab.strategies.reading.windows.framing import frame, room

SELECTIONS: dict[str, Callable[[int, int], IntArray]] = {
    "head": lambda num, fits: np.arange(fits),
    "tail": lambda num, fits: np.arange(num - fits, num),
    "middle": lambda num, fits: np.arange(fits) + (num - fits) // 2,
    "head_tail": lambda num, fits: np.concatenate([np.arange(fits - fits // 2), np.arange(num - fits // 2, num)]),
}
"""Indices of the kept tokens of ``num`` tokens if ``fits`` of them fit, for each value of ``keep``."""


class Truncate(BaseReading):
    """Keeps the head, the tail, the middle, or half from the head and half from the tail.

    A window is as long as the context, or as the trained length where that is less and positions are not extended.

    Source: common practice; head and tail together after Sun et al. 2019 (arXiv:1905.05583). Deviation: they keep 128
    and 382 tokens, here the halves are equal (the head gets the odd token).
    """

    covers = False

    def __init__(self, keep: str = "head") -> None:
        """Take which part of the document to ``keep``: head, tail, head_tail or middle."""
        if keep not in SELECTIONS:
            raise UserError(f"strategy.reading.keep={keep} is not one of {', '.join(SELECTIONS)}.")
        self.keep = keep
        self.contiguous = keep != "head_tail"

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Return one window, or none for a document without tokens."""
        fits = min(room(encoded, self.longest(length), length), len(encoded))
        if not fits:
            return []
        return [frame(encoded, SELECTIONS[self.keep](len(encoded), fits))]

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Map outputs back; tokens that were cut off count as not seen."""
        return merging.first(windows, outputs, num_tokens)
