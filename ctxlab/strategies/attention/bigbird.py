"""Neighbours, a few global tokens, and blocks drawn at random."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least


class BigBird(Sparse):
    """Sliding window, global tokens, and for each block of queries some random blocks of keys.

    Source: BigBird (Zaheer et al. 2020, arXiv:2007.14062), its construction with internal global tokens. Deviations:
    the window counts tokens on each side of a query, not blocks; the global tokens are single tokens at the beginning,
    not the first and the last block; the random blocks are a pure function of the seed and the document's length, the
    same for all heads and layers (the paper leaves it open, its code draws anew for each layer); in a causal model
    those that lie ahead are hidden.
    """

    by_length = True

    def __init__(
        self, window: int = 128, num_global: int = 1, num_random: int = 3, block: int = 64, seed: int = 0
    ) -> None:
        """Take tokens on each side, global tokens, random blocks for each block, their tokens, and the seed."""
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        at_least(0, "random blocks that each block of queries attends to", num_random=num_random)
        at_least(1, "tokens of a block", block=block)
        at_least(0, "what the random blocks are drawn from", seed=seed)
        super().__init__(window=window, num_global=num_global, num_random=num_random, block=block, seed=seed)
        self.window, self.num_global, self.num_random, self.block, self.seed = (
            window, num_global, num_random, block, seed,
        )  # fmt: skip

    def blocks(self, length: int) -> torch.Tensor:
        """(N, R) blocks of keys drawn for each block of queries; −1 where there are not enough."""
        num_blocks = -(-length // self.block)
        return draw(num_blocks, self.num_random, self.window // self.block, self.seed, length)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Neighbours, random blocks, and everything from and to a global token."""
        seen = (query - key).abs() <= self.window
        seen |= (query < self.num_global) | (key < self.num_global)
        blocks = self.blocks(length).to(query.device)
        own = (query // self.block).clamp(max=len(blocks) - 1)
        for column in blocks.unbind(1):
            seen |= column[own] == key // self.block
        return seen

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """The tokens of the random blocks beside the span of each block."""
        num_blocks = -(-length // self.block)
        tokens = torch.full((len(lengths), num_blocks, self.num_random, self.block), -1)
        for row, own in enumerate(lengths):
            drawn = self.blocks(own)
            # Blocks of padding are given what the last real one sees, as in the declared pattern.
            blocks = drawn[torch.arange(num_blocks).clamp(max=len(drawn) - 1), :, None]
            inside = blocks * self.block + torch.arange(self.block)
            tokens[row] = inside.where((blocks >= 0) & (inside < own), -1)
        num_extra = self.num_random * self.block
        layout = sliding(self.window, self.num_global, block=self.block, num_extra=num_extra)
        return (Plan(self.allowed, layout, extra=tokens.flatten(2)),)


@lru_cache(maxsize=256)
def draw(num_blocks: int, num_random: int, reach: int, seed: int, length: int) -> torch.Tensor:
    """(N, R) different blocks for each of N, none nearer than ``reach`` blocks on either side; do not write into it."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + length) % 2**63)
    own = torch.arange(num_blocks)
    low, high = (own - reach).clamp(min=0), (own + reach).clamp(max=num_blocks - 1)
    num_far = num_blocks - (high - low + 1)
    taken: list[torch.Tensor] = []
    for column in range(num_random):
        left = (num_far - column).clamp(min=0)
        choice = (torch.rand(num_blocks, generator=generator, dtype=torch.float64) * left).long()
        for earlier in taken:  # in ascending order: step over what is taken
            choice += (choice >= earlier).long()
        taken = list(torch.stack([*taken, choice.where(left > 0, num_blocks)]).sort(0).values)
    chosen = torch.stack(taken, 1) if taken else torch.empty(num_blocks, 0, dtype=torch.long)
    far = chosen + (chosen >= low[:, None]) * (high - low + 1)[:, None]
    return far.where(chosen < num_far[:, None], -1)
