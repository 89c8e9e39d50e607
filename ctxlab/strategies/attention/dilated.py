"""Attention to every d-th neighbour: a window that reaches d times as far at the same cost."""

from collections.abc import Sequence

import torch

from ctxlab.strategies.attention.kernels.exported import Exportable, remainders
from ctxlab.strategies.attention.kernels.order import by_remainder
from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least


class Dilated(Sparse):
    """Combines a sliding window with gaps and global tokens.

    The tokens are sorted into ``dilation`` interleaved sequences; within each, the pattern is a plain sliding window,
    so that the cost is that of ``local``.

    Source: the dilated window of Longformer (Beltagy et al. 2020, arXiv:2004.05150). Deviations: all heads and layers
    have the same dilation, while the paper dilates two heads of the higher layers; so a token receives information
    from its direct neighbours only through global tokens, and a small model learns little from this pattern alone; the
    global tokens are the first of every window and use the trained projections.
    """

    caches = True
    unexportable = None

    def __init__(self, window: int = 128, dilation: int = 2, num_global: int = 1) -> None:
        """Take the attended tokens on each side, the step between them, and the number of global tokens."""
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(1, "the step between attended neighbours (1 is strategy/attention=local)", dilation=dilation)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        super().__init__(window=window, dilation=dilation, num_global=num_global)
        self.window, self.dilation, self.num_global = window, dilation, num_global

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare every ``dilation``-th neighbour, and all pairs with a global token."""
        del length
        near = (query - key).abs() <= self.window * self.dilation
        near &= query % self.dilation == key % self.dilation
        return near | (query < self.num_global) | (key < self.num_global)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one sliding window over the sorted tokens; the pattern masks pairs of different sequences."""
        del lengths
        order = by_remainder(length, self.dilation, num_first=self.num_global)
        return (Plan(self.allowed, sliding(self.window, self.num_global), order),)

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return a sliding window within each of the interleaved sequences."""
        blocks = remainders(length, self.dilation, sliding(self.window, self.num_global))
        return (Exportable(blocks, lambda q, k: self.allowed(q, k, length), self.num_global),)
