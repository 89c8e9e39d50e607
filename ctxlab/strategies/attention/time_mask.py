"""Long documents attend to their beginning and their neighbourhood, short ones to everything."""

from collections.abc import Sequence

import torch

from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least

FIRST_BLOCK = 128
"""Queries of a block: longer than the window, so that the first tokens are copied less often."""


class TimeMask(Sparse):
    """First tokens and a local window for documents over a threshold; full attention for the others.

    Source: no paper; a rule from practice, for texts that say what they are about at their beginning. The same first
    tokens stay visible in StreamingLLM (Xiao et al. 2023, arXiv:2309.17453), which needs only a handful of them.
    Differs from ``local`` with as many global tokens: the first tokens are seen by all, but do not see all.
    """

    by_length = True

    def __init__(self, threshold: int = 500, keep: int = 256, window: int = 64) -> None:
        """Take the longest document with full attention, the first tokens that all see, and tokens on each side."""
        at_least(0, "tokens of the longest document with full attention", threshold=threshold)
        at_least(0, "first tokens that every token attends to", keep=keep)
        at_least(1, "tokens on each side that a token attends to", window=window)
        super().__init__(threshold=threshold, keep=keep, window=window)
        self.threshold, self.keep, self.window = threshold, keep, window

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """All pairs of a document of at most ``threshold`` tokens; else the first tokens and the neighbours."""
        near = (query - key).abs() <= self.window
        return near | (key < (length if length <= self.threshold else self.keep))

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """The first tokens beside the span of each block: as many as the longest short document in the batch needs."""
        short = max((own for own in lengths if own <= self.threshold), default=0)
        num_first = min(max(self.keep, short), length)
        first = torch.arange(num_first).view(1, 1, -1)
        return (Plan(self.allowed, sliding(self.window, block=FIRST_BLOCK, num_extra=num_first), extra=first),)
