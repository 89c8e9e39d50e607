"""Attention to neighbours, to every n-th token further away, and to a few global tokens."""

from collections.abc import Sequence

import torch

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.kernels.exported import Exportable, spans
from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least


class Lsg(Sparse):
    """Combines local, sparse and global attention.

    Source: LSG (Condevaux & Harispe 2022, arXiv:2210.15497), with the strided choice of sparse tokens. Deviations: the
    local and the sparse window are centred on the query, while the paper's are aligned to blocks; the sparse tokens
    are the multiples of ``step``, the same for all heads; the paper's other ways of choosing (norm, pooling, LSH,
    clustering) depend on the hidden states and are not implemented; the global tokens are the first of every window
    and use the trained projections.
    """

    caches = True
    unexportable = None

    def __init__(self, window: int = 128, reach: int = 512, step: int = 4, num_global: int = 1) -> None:
        """Build the part.

        Args:
            window: Tokens on each side that are all attended to.
            reach: Tokens on each side within which every ``step``-th token is attended to.
            step: Sparse tokens are its multiples.
            num_global: First tokens of a window that attend to all and are attended by all.

        Raises:
            UserError: A value is too small, or ``reach`` is less than ``window``.
        """
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(1, "the step between attended tokens outside the window", step=step)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        if reach < window:
            raise UserError(f"strategy.attention.reach={reach} must not be less than window={window}: raise reach.")
        super().__init__(window=window, reach=reach, step=step, num_global=num_global)
        self.window, self.reach, self.step, self.num_global = window, reach, step, num_global

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare neighbours, multiples of ``step`` within reach, and all pairs with a global token."""
        del length
        distance = (query - key).abs()
        sparse = (distance <= self.reach) & (key % self.step == 0)
        return (distance <= self.window) | sparse | (query < self.num_global) | (key < self.num_global)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one plan, with the sparse tokens before and after the span of each block as its extra keys."""
        del lengths
        tokens = self._sparse(length)
        return (
            Plan(self.allowed, sliding(self.window, self.num_global, num_extra=tokens.shape[1]), extra=tokens[None]),
        )

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return the same blocks, with indices."""
        blocks = spans(length, sliding(self.window, self.num_global), self._sparse(length)[None])
        return (Exportable(blocks, lambda q, k: self.allowed(q, k, length), self.num_global),)

    def _sparse(self, length: int) -> torch.Tensor:
        """Return (N, E): the sparse tokens before and after the span of each block, −1 where there is none."""
        layout = sliding(self.window, self.num_global)
        start = torch.arange(layout.num_blocks(length))[:, None] * layout.block
        end = start + layout.block - 1
        before = self._multiples(start - self.reach, start - self.window - 1, length)
        after = self._multiples(end + self.window + 1, end + self.reach, length)
        return torch.cat([before, after], 1)

    def _multiples(self, first: torch.Tensor, last: torch.Tensor, length: int) -> torch.Tensor:
        """Return (N, E): multiples of ``step`` from ``first`` to ``last`` (N, 1), −1 where there is none."""
        most = (self.reach - self.window + self.step - 1) // self.step
        tokens = (-(-first // self.step) + torch.arange(most)) * self.step
        return tokens.where((tokens >= 0) & (tokens <= last) & (tokens < length), -1)
