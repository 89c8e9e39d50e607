"""Sliding-window attention whose window depends on the length of the document."""

from collections.abc import Sequence

import torch

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.kernels.exported import Exportable, spans
from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least


class DynamicWindow(Sparse):
    """Combines a sliding window of base · (length / reference) ^ exponent tokens on each side and global tokens.

    With an exponent of −0.5 the time grows with the square root of the length; with 0.5 the window grows with the
    text, and the time with length ^ 1.5; with 0 it is ``local``.

    Source: no paper; the rule is ours, on the sliding window of Longformer (Beltagy et al. 2020, arXiv:2004.05150).
    The length is that of a document's window without padding, independent of the rest of the batch.
    """

    by_length = True
    unexportable = None

    def __init__(
        self,
        base: int = 128,
        reference: int = 8192,
        exponent: float = -0.5,
        least: int = 32,
        most: int = 512,
        num_global: int = 1,
    ) -> None:
        """Build the part.

        Args:
            base: Tokens on each side at the reference length.
            reference: Tokens of a document for which the window is the base.
            exponent: Exponent of the rule.
            least: Fewest tokens on each side.
            most: Most tokens on each side.
            num_global: First tokens of a window that attend to all and are attended by all.

        Raises:
            UserError: A value is too small, or ``most`` is less than ``least``.
        """
        at_least(1, "tokens on each side at the reference length", base=base)
        at_least(1, "tokens of a document for which the window is the base", reference=reference)
        at_least(1, "the fewest tokens on each side at any length", least=least)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        if most < least:
            raise UserError(f"strategy.attention.most={most} must not be less than least={least}: raise most.")
        super().__init__(
            base=base, reference=reference, exponent=exponent, least=least, most=most, num_global=num_global
        )
        self.base, self.reference, self.exponent = base, reference, exponent
        self.least, self.most, self.num_global = least, most, num_global

    def window(self, length: int) -> int:
        """Return the tokens on each side in a document of ``length`` tokens."""
        wanted: int = round(self.base * (length / self.reference) ** self.exponent)
        return min(max(wanted, self.least), self.most)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare neighbours within the window for this length, and all pairs with a global token."""
        near = (query - key).abs() <= self.window(length)
        return near | (query < self.num_global) | (key < self.num_global)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one plan, with spans for the widest window in the batch."""
        del length
        widest = max(self.window(own) for own in lengths)
        return (Plan(self.allowed, sliding(widest, self.num_global)),)

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return spans for the widest window of all lengths, and the window of each length from a table."""
        assert self.table is not None
        own = self.table.index_select(0, lengths.flatten()).view(-1, 1, 1, 1)

        def allowed(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
            return ((query - key).abs() <= own) | (query < self.num_global) | (key < self.num_global)

        widest = max(map(self.window, range(1, longest + 1)))
        layout = sliding(min(widest, longest), self.num_global)
        return (Exportable(spans(length, layout), allowed, self.num_global),)

    def lookup(self, longest: int) -> torch.Tensor:
        """Return (longest + 1,): the window of each length."""
        return torch.tensor([self.window(max(own, 1)) for own in range(longest + 1)])
