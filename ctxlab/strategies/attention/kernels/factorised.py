"""Factorised patterns: two patterns that together connect all tokens in two layers, split over heads or merged."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch

from ctxlab.core.architecture import num_heads
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Pattern
from ctxlab.strategies.attention.kernels.sparse import Sparse

Heads = Literal["split", "merged"]


class Factorised(Sparse, ABC):
    """The base class of ``strided`` and ``fixed``, the patterns of the Sparse Transformer."""

    def __init__(self, heads: Heads, **parameters: Any) -> None:
        """Take whether ``heads`` are split between the two patterns or follow both."""
        if heads not in ("split", "merged"):
            raise UserError(f"strategy.attention.heads={heads} is not one of split, merged.")
        super().__init__(**parameters, heads=heads)
        self.heads = heads

    @abstractmethod
    def near(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare the first pattern, of nearby tokens."""

    @abstractmethod
    def far(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Declare the second pattern, across the document."""

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare the union of both patterns."""
        del length
        return self.near(query, key) | self.far(query, key)

    def pattern_of_head(self, inputs: Mapping[str, torch.Tensor], row: int, head: int, num_heads: int) -> Pattern:
        """Return the first pattern for the first num_heads // 2 heads and the second for the others; merged: both."""
        del inputs, row
        if self.heads == "merged":
            return self.allowed
        one = self.near if head < num_heads // 2 else self.far
        return lambda query, key, _: one(query, key)

    def install(self, model: Any) -> None:
        """Install the pattern as usual.

        Raises:
            UserError: Heads are to be split and the model has one head.
        """
        if self.heads == "split" and num_heads(model) == 1:
            raise UserError(
                f"strategy.attention.heads=split leaves no head for the first pattern of {self.kind} in a model with "
                "1 head; use strategy.attention.heads=merged."
            )
        super().install(model)
