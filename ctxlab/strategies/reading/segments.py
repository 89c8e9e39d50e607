"""The whole document in windows that continue one another, for a memory to carry information across."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, FloatArray, Merged, Window
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import BaseReading
from ctxlab.strategies.reading.windows.framing import frame, room

UNTRAINED_WINDOW = 512
"""Tokens of a window where neither the option nor the model defines it."""


class Segments(BaseReading):
    """Consecutive windows of ``window`` tokens, linked up to the context length; after that, a new sequence starts.

    The last window of a sequence is shorter where the length is not a multiple of ``window``.
    """

    links = True

    def __init__(self, window: int | None = None) -> None:
        """Take the tokens of a window, special tokens included; None for the model's trained length."""
        if window is not None and window < 1:
            raise UserError(f"strategy.reading.window={window} must be at least 1 token, or null.")
        self.window = window
        self._default = UNTRAINED_WINDOW

    def fit(self, trained_length: int | None, added: int, length: int, *, extended: bool) -> None:
        """Set the default window: it and the positions of the memory fill the trained length."""
        del extended  # windows stay short here: links extend the context instead
        self._default = (trained_length or UNTRAINED_WINDOW) - added
        if self.window is None and self._default < 1:
            raise UserError(
                f"strategy.memory takes {added:,} of the {trained_length:,} positions that the model was trained for, "
                "which leaves none for a window: use a smaller memory."
            )

        if self.window is not None and self.window > length:
            raise UserError(
                f"strategy.reading.window={self.window} is wider than context.length={length}: "
                f"use {length} or less, or a longer context."
            )

    def longest(self, length: int) -> int:
        """Return the window, or the context where that is shorter."""
        return min(self.window or self._default, length)

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Return sequences of linked windows, one after the other; none for a document without tokens."""
        widest, added = self.longest(length), len(encoded.before) + len(encoded.after)
        whole, rest = divmod(length, widest)
        row = [room(encoded, widest)] * whole + ([rest - added] if rest > added else [])
        windows: list[Window] = []
        start = 0
        while start < len(encoded):
            for place, fits in enumerate(row):
                if start < len(encoded):
                    tokens = np.arange(start, min(start + fits, len(encoded)))
                    windows.append(frame(encoded, tokens, begins=place == 0))
                    start += fits
        return windows

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Map outputs back; every token is in exactly one window."""
        return merging.first(windows, outputs, num_tokens)
