"""The whole document in consecutive windows, with or without overlap."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.errors import UserError
from ctxlab.core.types import Encoded, FloatArray, Merged, Window
from ctxlab.strategies.reading.windows import merging
from ctxlab.strategies.reading.windows.base import BaseReading
from ctxlab.strategies.reading.windows.framing import frame, room

MERGE = {"first": merging.first, "mean": merging.mean, "central": merging.central, "left": merging.left}
LEFT, BOTH = "left", "central"
"""The rules that give each token the most context: for causal models, which see earlier tokens only, and for others."""


class Chunk(BaseReading):
    """Covers every token with independent windows; a document that fits is one window.

    A window is as long as the context, or as the trained length where that is less and positions are not extended.

    Neighbouring windows share ``overlap_tokens`` of the document (Transformers' tokenizers call that the stride).
    """

    def __init__(self, overlap_tokens: int = 0, merge: str | None = None) -> None:
        """Take the overlap of neighbouring windows, and how it is merged; None gives each token the most context."""
        if overlap_tokens < 0:
            raise UserError(f"strategy.reading.overlap_tokens={overlap_tokens} must be 0 or more tokens.")
        if merge is not None and merge not in MERGE:
            raise UserError(f"strategy.reading.merge={merge} is not one of {', '.join(MERGE)}, or null.")
        self.overlap_tokens, self.rule = overlap_tokens, merge
        self._most_context = BOTH

    def fit_merge(self, *, causal: bool, next_token: bool) -> None:
        """Choose the rule that gives tokens the most context, which language modelling requires.

        Raises:
            UserError: The task scores next tokens, and a rule was configured that gives them less context.
        """
        self._most_context = LEFT if causal else BOTH
        if next_token and self.overlap_tokens and self.rule not in (None, LEFT, "first"):
            raise UserError(
                f"strategy.reading.merge={self.rule} would score tokens of a language model with less context than "
                "another window has for them: use strategy.reading.merge=left, or null, which means the same here."
            )

    def windows(self, encoded: Encoded, length: int) -> list[Window]:
        """Return windows in document order, the last one possibly short; none for a document without tokens."""
        fits = room(encoded, self.longest(length), length)
        if self.overlap_tokens >= fits:
            raise UserError(
                f"strategy.reading.overlap_tokens={self.overlap_tokens} is not smaller than the {fits} document tokens "
                f"of a window of {self.longest(length)}; use {fits - 1} or less."
            )
        step = fits - self.overlap_tokens
        # Stop at the first window that reaches the end: a further one would add no token.
        starts = range(0, max(len(encoded) - self.overlap_tokens, min(len(encoded), 1)), step)
        return [frame(encoded, np.arange(start, min(start + fits, len(encoded)))) for start in starts]

    def merge(self, windows: Sequence[Window], outputs: Sequence[FloatArray], num_tokens: int) -> Merged:
        """Merge outputs by the configured rule where windows overlap."""
        return MERGE[self.rule or self._most_context](windows, outputs, num_tokens)
