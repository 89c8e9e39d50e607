"""Attention to the first tokens and to neighbours in long documents, full attention in short ones."""

from collections.abc import Sequence

import torch

from ctxlab.strategies.attention.kernels.exported import Exportable, ceiling, spans
from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least

FIRST_BLOCK = 128
"""Queries of a block; more than the window, so that the first tokens are copied less often."""


class TimeMask(Sparse):
    """Combines the first tokens and a sliding window in documents over a threshold; shorter ones get full attention.

    Source: no paper; a rule from practice, for texts whose beginning states their topic. StreamingLLM (Xiao et al.
    2023, arXiv:2309.17453) keeps the first tokens visible too, but only a handful of them. It differs from ``local``
    with as many global tokens: all tokens attend to the first ones, but these do not attend to all.
    """

    by_length = True
    unexportable = None

    def __init__(self, threshold: int = 500, keep: int = 256, window: int = 64) -> None:
        """Take the longest length with full attention, the first tokens that all attend to, and tokens on each side."""
        at_least(0, "tokens of the longest document with full attention", threshold=threshold)
        at_least(0, "first tokens that every token attends to", keep=keep)
        at_least(1, "tokens on each side that a token attends to", window=window)
        super().__init__(threshold=threshold, keep=keep, window=window)
        self.threshold, self.keep, self.window = threshold, keep, window

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare all pairs in a document of at most ``threshold`` tokens; else first tokens and neighbours."""
        near = (query - key).abs() <= self.window
        return near | (key < (length if length <= self.threshold else self.keep))

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one plan with the first tokens as extra keys, as many as the longest short document needs."""
        short = max((own for own in lengths if own <= self.threshold), default=0)
        num_first = min(max(self.keep, short), length)
        first = torch.arange(num_first).view(1, 1, -1)
        return (Plan(self.allowed, sliding(self.window, block=FIRST_BLOCK, num_extra=num_first), extra=first),)

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return a sliding window, and as many first tokens as the longest short document of any batch needs."""
        kept = torch.where(lengths <= self.threshold, lengths, self.keep)
        first = torch.arange(min(max(self.keep, self.threshold), longest)).view(1, 1, -1)
        first = first.expand(1, ceiling(length, FIRST_BLOCK), -1)

        def allowed(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
            return ((query - key).abs() <= self.window) | (key < kept)

        return (Exportable(spans(length, sliding(self.window, block=FIRST_BLOCK), first), allowed),)
