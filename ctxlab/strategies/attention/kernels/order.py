"""Permutations of tokens after which tokens that attend to each other are neighbours.

Shape legend: B windows, L tokens, P places (L, or more where groups are padded to equal size).
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from ctxlab.core.strategy import Pattern
from ctxlab.strategies.attention.kernels.masks import LibraryMask


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A permutation of tokens to places, some of which may be empty."""

    tokens: torch.Tensor
    """(P,) token at each place; arbitrary where the place is empty."""
    real: torch.Tensor
    """(P,) bool: whether the place holds a token."""
    places: torch.Tensor
    """(L,) place of each token."""

    @property
    def has_empty(self) -> bool:
        """Whether some places may be empty."""
        return len(self.tokens) > len(self.places)

    def __len__(self) -> int:
        """Return the number of places (P)."""
        return len(self.tokens)

    def to(self, device: torch.device) -> "Order":
        """Return the same order on another device."""
        return Order(self.tokens.to(device), self.real.to(device), self.places.to(device))

    def sort(self, tokens: torch.Tensor) -> torch.Tensor:
        """Permute tokens (B, L, ...) to places (B, P, ...)."""
        sorted_tokens: torch.Tensor = SelectTokens.apply(tokens, self.tokens, self.places, None)
        return sorted_tokens

    def restore(self, tokens: torch.Tensor) -> torch.Tensor:
        """Permute places (B, P, ...) back to tokens (B, L, ...); empty places are dropped."""
        real = self.real if self.has_empty else None
        restored: torch.Tensor = SelectTokens.apply(tokens, self.places, self.tokens, real)
        return restored

    def mask(self, library: LibraryMask) -> LibraryMask:
        """Return the model's own mask for places instead of tokens; empty places are masked."""

        def function(window: Any, head: Any, query: Any, key: Any) -> Any:
            real = self.real[query] & self.real[key]
            return real & library.function(window, head, self.tokens[query], self.tokens[key])

        return replace(library, num_queries=len(self), num_keys=len(self), function=function)

    def pattern(self, allowed: Pattern, length: int) -> Pattern:
        """Return the declared pattern for places instead of tokens, in a window of ``length`` tokens."""
        return lambda query, key, _: allowed(self.tokens[query], self.tokens[key], length)


class SelectTokens(torch.autograd.Function):
    """Selects along the token dimension; its gradient selects back, which is faster than a scatter-add."""

    @staticmethod
    def forward(
        ctx: Any, tokens: torch.Tensor, index: torch.Tensor, back: torch.Tensor, real: torch.Tensor | None
    ) -> torch.Tensor:
        """Select ``index``; ``back`` is its inverse, except where ``real`` is False."""
        ctx.back, ctx.real = back, real
        return tokens.index_select(1, index)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Select back; the gradient of empty places is zero."""
        gradient = gradient.index_select(1, ctx.back)
        if ctx.real is not None:
            gradient *= ctx.real.view(1, -1, *[1] * (gradient.ndim - 2))
        return gradient, None, None, None


def after_empty(length: int, count: int) -> Order:
    """Keep the order of tokens, and put ``count`` empty places before the first of them."""
    tokens = torch.arange(-count, length)
    return Order(tokens.clamp(min=0), tokens >= 0, torch.arange(count, count + length))


def by_remainder(length: int, step: int, *, num_first: int = 0, even: bool = False) -> Order:
    """Order tokens by their remainder modulo ``step``: 0, step, 2·step, …, 1, step + 1, ….

    Args:
        length: Tokens of the window (L).
        step: Number of groups.
        num_first: First tokens that stay at the front.
        even: Whether groups are padded with empty places, so that all have ceil(L / step).
    """
    rows = math.ceil(length / step)
    tokens = torch.arange(rows * step).view(rows, step).T.flatten()
    if not even:
        tokens = tokens[(tokens >= num_first) & (tokens < length)]
        tokens = torch.cat([torch.arange(min(num_first, length)), tokens])
    real = tokens < length
    places = torch.empty(length, dtype=torch.long)
    places[tokens[real]] = torch.arange(len(tokens))[real]
    return Order(tokens.clamp(max=length - 1), real, places)
