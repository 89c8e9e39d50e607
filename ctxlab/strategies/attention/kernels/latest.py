"""The causal pattern of structure tokens: a query attends to the latest ones before its own neighbourhood.

Whether a sentence begins with a token may depend on the following characters, so the marks of the tokens right before
a query depend on later ones. Only tokens at least ``delay`` back are used, so that the pattern is causal.

Shape legend: B windows, L tokens of a window, N blocks of a window, E structure tokens that a query attends to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ctxlab.core.types import GIVEN, HEADING, PARAGRAPH, SENTENCE

KNOWN_AFTER = 16
"""Tokens after which it is known whether a sentence begins: it depends on three characters of up to four bytes."""


def named_bits(sources: Sequence[str]) -> int:
    """Return the marks (bits) of ``sources`` of structure tokens.

    Whether a line is a heading is known at its end only, so headings and paragraphs are treated alike: as the start of
    what follows a blank line.
    """
    begins = PARAGRAPH | HEADING
    bits = {"given": GIVEN, "headings": begins, "paragraphs": begins, "sentences": SENTENCE}
    total = 0
    for source in sources:
        total |= bits.get(source, 0)
    return total


@dataclass(frozen=True, eq=False)
class Latest:
    """A pattern of neighbours, first tokens, and the latest structure tokens before the neighbours of a query."""

    named: torch.Tensor
    """(B, L) bool: structure tokens."""
    window: int
    """Tokens on each side that are neighbours."""
    most: int
    """Structure tokens that a query attends to (E)."""
    num_first: int
    """First tokens, which all tokens attend to and which attend to all."""

    @property
    def delay(self) -> int:
        """Return the number of tokens before a query whose marks are not used."""
        return max(self.window, KNOWN_AFTER)

    def allowed(self, row: int, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare the pattern of window ``row`` for indices that broadcast; the model adds causality."""
        named, last = self.named[row], query - self.delay - 1  # the last token whose mark may be used
        rank = named.cumsum(0)  # (L,) structure tokens up to each token
        newer = rank[last.clamp(min=0)] - rank[key]  # structure tokens between the key and ``last``
        latest = named[key] & (key <= last) & (newer < self.most)
        return latest | ((query - key).abs() <= self.window) | (query < self.num_first) | (key < self.num_first)

    def before(self, starts: torch.Tensor) -> torch.Tensor:
        """Return (B, N, E): latest usable structure tokens for blocks that start at ``starts`` (N,); −1 for none."""
        last, rank = starts - self.delay - 1, self.named.cumsum(1)
        count = rank[:, last.clamp(min=0)] * (last >= 0)  # (B, N) structure tokens up to ``last``
        wanted = count[..., None] - torch.arange(self.most, device=starts.device)  # (B, N, E), 1 for the first one
        found = torch.searchsorted(rank, wanted.clamp(min=1).flatten(1)).view(wanted.shape)
        return found.where(wanted >= 1, -1)
