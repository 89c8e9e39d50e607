"""Tokens that the structure names, seen from later on: the latest ones before a token's own neighbourhood.

Whether a sentence begins with a token may hang on the characters that follow, so that nothing is known of the tokens
right before a query. Only what lies ``delay`` tokens back counts, which makes the pattern a function of what comes
before.

Shape legend: B windows, L tokens of a window, N blocks of a window, E named tokens that a query sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ctxlab.core.types import GIVEN, HEADING, PARAGRAPH, SENTENCE

KNOWN_AFTER = 16
"""Tokens after which it is known whether a sentence begins: three characters, of up to four bytes, decide."""


def named_bits(sources: Sequence[str]) -> int:
    """Marks of the tokens that ``sources`` name.

    A line is a heading by its end, so that headings and paragraphs are taken alike: as what follows a blank line.
    """
    begins = PARAGRAPH | HEADING
    bits = {"given": GIVEN, "headings": begins, "paragraphs": begins, "sentences": SENTENCE}
    total = 0
    for source in sources:
        total |= bits.get(source, 0)
    return total


@dataclass(frozen=True, eq=False)
class Latest:
    """Which keys a query sees: its neighbours, the first tokens, and the latest named ones before its neighbours."""

    named: torch.Tensor
    """(B, L) bool."""
    window: int
    """Tokens on each side that are neighbours."""
    most: int
    """Named tokens that a query sees (E)."""
    num_first: int

    @property
    def delay(self) -> int:
        """Tokens before a query of which nothing is asked yet."""
        return max(self.window, KNOWN_AFTER)

    def allowed(self, row: int, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """May ``query`` attend to ``key`` in window ``row``? Index tensors that broadcast; causality comes on top."""
        named, settled = self.named[row], query - self.delay - 1
        rank = named.cumsum(0)
        passed = rank[settled.clamp(min=0)] - rank[key]
        latest = named[key] & (key <= settled) & (passed < self.most)
        return latest | ((query - key).abs() <= self.window) | (query < self.num_first) | (key < self.num_first)

    def before(self, starts: torch.Tensor) -> torch.Tensor:
        """(B, N, E) the latest named tokens that are settled for blocks that begin at ``starts`` (N,); −1 for none."""
        settled, rank = starts - self.delay - 1, self.named.cumsum(1)
        count = rank[:, settled.clamp(min=0)] * (settled >= 0)  # (B, N) named tokens up to there
        wanted = count[..., None] - torch.arange(self.most, device=starts.device)  # 1 for the first named token
        found = torch.searchsorted(rank, wanted.clamp(min=1).flatten(1)).view(wanted.shape)
        return found.where(wanted >= 1, -1)
