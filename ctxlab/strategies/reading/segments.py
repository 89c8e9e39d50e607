"""The whole document in windows that go on from one another: what a memory carries across."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, FloatArray, Merged, Window
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import Base
from ctxlab.strategies.reading.windows.framing import frame, room

UNTRAINED_WINDOW = 512
"""Tokens of a window where neither the option nor the model says."""


class Segments(Base):
    """Windows of ``window`` tokens side by side, linked up to the context's length, where a document starts anew.

    The last window of a row is shorter where the length is no multiple of ``window``.
    """

    links = True

    def __init__(self, window: int | None = None) -> None:
        """Take the tokens of a window, special tokens included; None is what the model was trained for."""
        if window is not None and window < 1:
            raise UserError(f"strategy.reading.window={window} holds no token: give at least 1, or null.")
        self.window = window
        self._default = UNTRAINED_WINDOW

    def fit(self, trained_length: int | None, added: int, length: int, *, stretched: bool) -> None:
        """By default a window and what a memory adds to it fill the trained length."""
        del stretched  # links are what reaches further
        self._default = (trained_length or UNTRAINED_WINDOW) - added
        if self.window is None and self._default < 1:
            raise UserError(
                f"The memory takes {added:,} positions of the {trained_length:,} that the model was trained for, which "
                "leaves none for a window: make the memory smaller."
            )

        if self.window is not None and self.window > length:
            raise UserError(
                f"strategy.reading.window={self.window} is wider than context.length={length}: "
                f"use {length} or less, or a longer context."
            )

    def longest(self, length: int) -> int:
        """A window, or the context where that is shorter."""
        return min(self.window or self._default, length)

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Rows of linked windows, one row after the other; none for a document without tokens."""
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
        """Every token is in one window."""
        return merging.first(windows, outputs, num_tokens)
