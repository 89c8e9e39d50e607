"""Attention within segments, and to the last tokens of every segment, which summarise it."""

from collections.abc import Sequence

import torch

from ctxlab.core.errors import UserError
from ctxlab.strategies.attention.kernels.exported import Exportable, ceiling, spans
from ctxlab.strategies.attention.kernels.factorised import Factorised, Heads
from ctxlab.strategies.attention.kernels.plan import Plan
from ctxlab.strategies.attention.kernels.spans import Layout
from ctxlab.strategies.attention.kernels.sparse import at_least

SUMMARY_BLOCK = 128
"""Queries of a block, in heads that attend to summaries only; small, as almost all keys of the block are masked."""


class Fixed(Factorised):
    """Implements the fixed pattern of the Sparse Transformer.

    The document is cut into segments of ``stride`` tokens. One half of the heads attends within the segment; the other
    half attends to the last ``num_summary`` tokens of every segment, which pass on information about it.

    Source: Child et al. 2019 (arXiv:1904.10509), a causal pattern, which a causal model follows exactly. In a
    bidirectional model both patterns are mirrored: a query sees its whole segment, and the summary tokens of all
    segments. Deviations: a query of the second pattern also sees itself, so that queries of the first segment of a
    causal model have a key; all heads share the same summary tokens, while the paper gives each head its own. Merged,
    each head attends to both at once.
    """

    caches = True
    unexportable = None

    def __init__(self, stride: int = 512, num_summary: int = 4, heads: Heads = "split") -> None:
        """Take the tokens of a segment, its number of summary tokens, and whether heads are split or merged."""
        at_least(1, "tokens of a segment", stride=stride)
        at_least(1, "last tokens of a segment that all attend to", num_summary=num_summary)
        if num_summary > stride:
            raise UserError(
                f"strategy.attention.num_summary={num_summary} must not be more than stride={stride}: raise stride."
            )
        super().__init__(heads, stride=stride, num_summary=num_summary)
        self.stride, self.num_summary = stride, num_summary

    def near(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare pairs in the same segment."""
        return query // self.stride == key // self.stride

    def far(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare summary tokens as keys, and the query itself."""
        return (key % self.stride >= self.stride - self.num_summary) | (query == key)

    def plans(self, length: int, lengths: Sequence[int]) -> tuple[Plan, ...]:
        """Return plans with segments as blocks, and summary tokens as extra keys that all blocks share."""
        del lengths
        tokens = torch.arange(length)
        summary = tokens[tokens % self.stride >= self.stride - self.num_summary].view(1, 1, -1)
        if self.heads == "merged":
            return (
                Plan(
                    self.allowed,
                    Layout(self.stride, 0, right=0, num_global=0, num_extra=summary.shape[-1]),
                    extra=summary,
                ),
            )
        block = min(self.stride, SUMMARY_BLOCK)
        return (
            Plan(lambda query, key, _: self.near(query, key), Layout(self.stride, 0, 0, 0)),
            Plan(
                lambda query, key, _: self.far(query, key),
                Layout(block, 0, right=0, num_global=0, num_extra=summary.shape[-1]),
                extra=summary,
            ),
        )

    def exported(self, length: int, lengths: torch.Tensor, longest: int) -> tuple[Exportable, ...]:
        """Return the same blocks, with indices; the summary tokens of an unfinished segment are past the end."""
        ends = torch.arange(ceiling(length, self.stride))[:, None] * self.stride
        summary = (ends + torch.arange(self.stride - self.num_summary, self.stride)).view(1, 1, -1)
        segments = Layout(self.stride, 0, 0, 0)
        if self.heads == "merged":
            whole = spans(length, segments, summary.expand(1, segments.num_blocks(length), -1))
            return (Exportable(whole, lambda q, k: self.allowed(q, k, length)),)
        small = Layout(min(self.stride, SUMMARY_BLOCK), 0, 0, 0)
        across = spans(length, small, summary.expand(1, small.num_blocks(length), -1))
        return Exportable(spans(length, segments), self.near), Exportable(across, self.far)
