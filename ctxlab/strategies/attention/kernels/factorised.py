"""Two patterns whose steps together reach everything: one for each half of the heads, or both in every head."""

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
    """What ``strided`` and ``fixed`` of the Sparse Transformer share."""

    def __init__(self, heads: Heads, **parameters: Any) -> None:
        """Take whether ``heads`` are split between the two patterns or follow both."""
        if heads not in ("split", "merged"):
            raise UserError(f"strategy.attention.heads={heads} is not one of split, merged.")
        super().__init__(**parameters, heads=heads)
        self.heads = heads

    @abstractmethod
    def near(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """The first pattern, which looks around."""

    @abstractmethod
    def far(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """The second pattern, which looks across the document."""

    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Both patterns."""
        del length
        return self.near(query, key) | self.far(query, key)

    def pattern_of_head(self, inputs: Mapping[str, torch.Tensor], row: int, head: int, num_heads: int) -> Pattern:
        """``allowed_by_head``, the same for all windows."""
        del inputs, row
        return lambda query, key, length: self.allowed_by_head(query, key, length, head, num_heads)

    def allowed_by_head(
        self, query: torch.Tensor, key: torch.Tensor, length: int, head: int, num_heads: int
    ) -> torch.Tensor:
        """The first pattern for the first num_heads // 2 heads and the second one for the others, where split."""
        if self.heads == "merged":
            return self.allowed(query, key, length)
        return self.near(query, key) if head < num_heads // 2 else self.far(query, key)

    def install(self, model: Any) -> None:
        """As for every pattern; one head alone cannot be split."""
        if self.heads == "split" and num_heads(model) == 1:
            raise UserError(
                f"strategy.attention.heads=split leaves no head for the first pattern of {self.kind} in a model with "
                "1 head; use strategy.attention.heads=merged."
            )
        super().install(model)
