"""The tokens of the same stretch, and the last ones of every stretch, which sum it up."""

from collections.abc import Sequence

import torch

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.kernels.blocks import Layout
from ctxlab.strategies.attention.kernels.factorised import Factorised, Heads
from ctxlab.strategies.attention.kernels.plan import Plan
from ctxlab.strategies.attention.kernels.sparse import at_least

SUMMARY_BLOCK = 128
"""Queries of a block of heads that attend to summaries only; few, for the block's own keys are all but hidden."""


class Fixed(Factorised):
    """The fixed pattern of the Sparse Transformer.

    The document is cut into stretches of ``stride`` tokens. One half of the heads attends within the stretch; the other
    half attends to the last ``num_summary`` tokens of every stretch, which carry what happened in it further.

    Source: Child et al. 2019 (arXiv:1904.10509), where queries only look back: a causal model gets just that. In a
    bidirectional model both patterns are mirrored: a query sees its whole stretch, and the summaries of all stretches.
    Deviations: a query of the second pattern also sees itself, so that the first stretch of a causal model is not
    blind; all its heads share the same summary tokens, where the paper gives each head its own. Merged, each head
    attends to both at once.
    """

    def __init__(self, stride: int = 512, num_summary: int = 4, heads: Heads = "split") -> None:
        """Take the tokens of a stretch, its last ones that sum it up, and whether heads are split or merged."""
        at_least(1, "tokens of a stretch", stride=stride)
        at_least(1, "last tokens of a stretch that all attend to", num_summary=num_summary)
        if num_summary > stride:
            raise UserError(
                f"strategy.attention.num_summary={num_summary} must not be more than stride={stride}: raise stride."
            )
        super().__init__(heads, stride=stride, num_summary=num_summary)
        self.stride, self.num_summary = stride, num_summary

    def near(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """The same stretch."""
        return query // self.stride == key // self.stride

    def far(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """A summary token, or the query itself."""
        return (key % self.stride >= self.stride - self.num_summary) | (query == key)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Stretches as blocks, and the summary tokens as extra keys that all blocks share."""
        del lengths
        tokens = torch.arange(length)
        summary = tokens[tokens % self.stride >= self.stride - self.num_summary].view(1, 1, -1)
        if self.heads == "merged":
            return (Plan(self.allowed, Layout(self.stride, 0, 0, 0, summary.shape[-1]), extra=summary),)
        block = min(self.stride, SUMMARY_BLOCK)
        return (
            Plan(lambda query, key, _: self.near(query, key), Layout(self.stride, 0, 0, 0)),
            Plan(lambda query, key, _: self.far(query, key), Layout(block, 0, 0, 0, summary.shape[-1]), extra=summary),
        )
