"""Attention to neighbours, a few global tokens, and random blocks."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from ctxlab.strategies.attention.kernels.exported import ABSENT, Exportable, ceiling, spans
from ctxlab.strategies.attention.kernels.plan import Plan, sliding
from ctxlab.strategies.attention.kernels.sparse import Sparse, at_least


class BigBird(Sparse):
    """Combines a sliding window, global tokens, and random blocks of keys for each block of queries.

    Source: BigBird (Zaheer et al. 2020, arXiv:2007.14062), its construction with internal global tokens. Deviations:
    the window counts tokens on each side of a query, not blocks; the global tokens are single tokens at the beginning,
    not the first and the last block; the random blocks are a pure function of the seed and the document's length, the
    same for all heads and layers (the paper does not specify it, its code draws them per layer); in a causal model
    later blocks are masked.
    """

    by_length = True
    unexportable = None

    def __init__(
        self, window: int = 128, num_global: int = 1, num_random: int = 3, block: int = 64, seed: int = 0
    ) -> None:
        """Build the part.

        Args:
            window: Tokens on each side that a token attends to.
            num_global: First tokens of a window that attend to all and are attended by all.
            num_random: Random blocks of keys for each block of queries.
            block: Tokens of a block.
            seed: Seed of the random blocks.

        Raises:
            UserError: A value is too small.
        """
        at_least(1, "tokens on each side that a token attends to", window=window)
        at_least(0, "first tokens of a window that attend to all", num_global=num_global)
        at_least(0, "random blocks that each block of queries attends to", num_random=num_random)
        at_least(1, "tokens of a block", block=block)
        at_least(0, "the seed of the random blocks", seed=seed)
        super().__init__(window=window, num_global=num_global, num_random=num_random, block=block, seed=seed)
        self.window, self.num_global, self.num_random, self.block, self.seed = (
            window, num_global, num_random, block, seed,
        )  # fmt: skip

    def blocks(self, length: int) -> torch.Tensor:
        """Return (N, R): blocks of keys drawn for each block of queries; −1 where there are not enough."""
        num_blocks = -(-length // self.block)
        return draw(num_blocks, self.num_random, reach=self.window // self.block, seed=self.seed, length=length)

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare neighbours, random blocks, and all pairs with a global token."""
        seen = (query - key).abs() <= self.window
        seen |= (query < self.num_global) | (key < self.num_global)
        blocks = self.blocks(length).to(query.device)
        own = (query // self.block).clamp(max=len(blocks) - 1)
        for column in blocks.unbind(1):
            seen |= column[own] == key // self.block
        return seen

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return one plan: a sliding window with the tokens of the random blocks as extra keys of each block."""
        num_blocks = -(-length // self.block)
        tokens = torch.full((len(lengths), num_blocks, self.num_random, self.block), -1)
        for row, own in enumerate(lengths):
            drawn = self.blocks(own)
            # Blocks of padding get the random blocks of the last real one, as in the declared pattern.
            blocks = drawn[torch.arange(num_blocks).clamp(max=len(drawn) - 1), :, None]
            inside = blocks * self.block + torch.arange(self.block)
            tokens[row] = inside.where((blocks >= 0) & (inside < own), -1)
        num_extra = self.num_random * self.block
        layout = sliding(self.window, self.num_global, block=self.block, num_extra=num_extra)
        return (Plan(self.allowed, layout, extra=tokens.flatten(2)),)

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return a sliding window, and random blocks looked up in a table of the draws for all lengths."""
        assert self.table is not None
        drawn = self.table.index_select(0, lengths.flatten())  # (b, blocks of the longest window, R)
        drawn = drawn.index_select(1, torch.arange(ceiling(length, self.block))).long()  # (b, N, R)
        inside = drawn[..., None] * self.block + torch.arange(self.block)  # (b, N, R, block)
        tokens = torch.where((drawn[..., None] >= 0) & (inside < lengths), inside, ABSENT).flatten(2)

        def allowed(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
            seen = ((query - key).abs() <= self.window) | (query < self.num_global) | (key < self.num_global)
            own = drawn.index_select(1, (query // self.block).flatten())  # (b, N · Q, R)
            own = own.unflatten(1, query.shape[1:-1])[..., None, :]  # (b, N, Q, 1, R)
            found: torch.Tensor = seen | (own == (key // self.block)[..., None]).any(-1)
            return found

        layout = sliding(self.window, self.num_global, block=self.block)
        return (Exportable(spans(length, layout, tokens, by_window=True), allowed, self.num_global),)

    def lookup(self, longest: int) -> torch.Tensor:
        """Return (longest + 1, N, R) int16: the draws for each length; its last blocks repeat the last real one."""
        num_blocks = -(-longest // self.block)
        rows = []
        for length in range(longest + 1):
            drawn = self.blocks(max(length, 1))
            rows.append(drawn[torch.arange(num_blocks).clamp(max=len(drawn) - 1)])
        return torch.stack(rows).to(torch.int16)


@lru_cache(maxsize=256)
def draw(num_blocks: int, num_random: int, reach: int, seed: int, length: int) -> torch.Tensor:
    """Draw distinct blocks for each block, none within ``reach`` blocks on either side.

    Args:
        num_blocks: Blocks of the document (N).
        num_random: Blocks to draw for each (R).
        reach: Blocks on each side that the sliding window covers.
        seed: Seed of the draw.
        length: Tokens of the document; part of the seed.

    Returns:
        (N, R) blocks, −1 where there are not enough; the result is cached, so do not change it in place.
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + length) % 2**63)
    own = torch.arange(num_blocks)
    low, high = (own - reach).clamp(min=0), (own + reach).clamp(max=num_blocks - 1)
    num_far = num_blocks - (high - low + 1)
    taken: list[torch.Tensor] = []
    for column in range(num_random):
        left = (num_far - column).clamp(min=0)
        choice = (torch.rand(num_blocks, generator=generator, dtype=torch.float64) * left).long()
        for earlier in taken:  # in ascending order: skip blocks that are taken
            choice += (choice >= earlier).long()
        taken = list(torch.stack([*taken, choice.where(left > 0, num_blocks)]).sort(0).values)
    chosen = torch.stack(taken, 1) if taken else torch.empty(num_blocks, 0, dtype=torch.long)
    far = chosen + (chosen >= low[:, None]) * (high - low + 1)[:, None]
    return far.where(chosen < num_far[:, None], -1)
