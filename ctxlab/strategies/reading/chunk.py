"""The whole document in windows, side by side or overlapping."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, FloatArray, Merged, Window
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import Base
from ctxlab.strategies.reading.windows.framing import frame, room

MERGE = {"first": merging.first, "mean": merging.mean, "central": merging.central, "left": merging.left}
LEFT, BOTH = "left", "central"
"""The rules that give a token most context: of a causal model, which sees what comes before, and of any other."""


class Chunk(Base):
    """Windows that together cover every token; a document that fits is one window.

    Each is as long as the context, or as what the model was trained for where that is less and nothing stretches it.

    Neighbours share ``overlap_tokens`` of the document; the usual scripts call that the stride.
    """

    def __init__(self, overlap_tokens: int = 0, merge: str | None = None) -> None:
        """Take the overlap of neighbours in tokens, and the rule that settles it; None gives tokens most context."""
        if overlap_tokens < 0:
            raise UserError(f"strategy.reading.overlap_tokens={overlap_tokens} must be 0 or more tokens.")
        if merge is not None and merge not in MERGE:
            raise UserError(f"strategy.reading.merge={merge} is not one of {', '.join(MERGE)}, or null.")
        self.overlap_tokens, self.rule = overlap_tokens, merge
        self._most_context = BOTH

    def settle(self, *, causal: bool, next_token: bool) -> None:
        """Give tokens most context, and refuse to give the tokens of a language model less.

        Raises:
            UserError: The task asks for the next token, and another rule was asked for.
        """
        self._most_context = LEFT if causal else BOTH
        if next_token and self.overlap_tokens and self.rule not in (None, LEFT, "first"):
            raise UserError(
                f"strategy.reading.merge={self.rule} would charge a language model for context that another window "
                "has: use strategy.reading.merge=left, or null, which means the same here."
            )

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Windows in document order, the last one perhaps short; none for a document without tokens."""
        fits = room(encoded, self.longest(length), length)
        if self.overlap_tokens >= fits:
            raise UserError(
                f"strategy.reading.overlap_tokens={self.overlap_tokens} is not smaller than the {fits} document tokens "
                f"of a window of {self.longest(length)}; use {fits - 1} or less."
            )
        step = fits - self.overlap_tokens
        # The last window is the first to reach the end: another would see nothing new.
        starts = range(0, max(len(encoded) - self.overlap_tokens, min(len(encoded), 1)), step)
        return [frame(encoded, np.arange(start, min(start + fits, len(encoded)))) for start in starts]

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Settle tokens that several windows saw."""
        return MERGE[self.rule or self._most_context](windows, outputs, num_tokens)
