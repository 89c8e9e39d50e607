"""A window that several processes hold together, each a contiguous part of its tokens (context parallelism).

Shape legend: B windows, W tokens of a window, P = W / count tokens of a part.
"""

from abc import ABC, abstractmethod

import torch


class Part(ABC):
    """This process's part of every window, and how it exchanges tensors with the processes of the other parts.

    All processes of a group call the same methods in the same order, with tensors of the same shapes and types.
    """

    index: int
    """Number of the part in the order of the tokens, from 0."""
    count: int
    """Parts of a window."""

    @property
    def is_first(self) -> bool:
        """Return whether the part begins with the first token of the window."""
        return self.index == 0

    def width(self, tokens: int) -> int:
        """Return the tokens of a window, with padding, that divides into equal parts; at least ``tokens``."""
        return -(-tokens // self.count) * self.count

    def places(self, width: int) -> slice:
        """Return the places of the part's tokens in a window of ``width`` tokens.

        Raises:
            ValueError: It does not divide into equal parts.
        """
        if width % self.count:
            raise ValueError(f"A window of {width} tokens does not divide into {self.count} equal parts.")
        size = width // self.count
        return slice(self.index * size, (self.index + 1) * size)

    @abstractmethod
    def exchange(
        self, to_before: torch.Tensor, to_after: torch.Tensor, like_before: torch.Tensor, like_after: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Send a tensor to each of the neighbours, and return what they have sent.

        Args:
            to_before: What the part before this one gets; of any size, also none.
            to_after: What the part after this one gets.
            like_before: Tensor of the shape and type that the part before sends.
            like_after: Tensor of the shape and type that the part after sends.

        Returns:
            What the parts before and after have sent; zeros where there is no such part.
        """

    @abstractmethod
    def whole(self, tensor: torch.Tensor, dim: int) -> torch.Tensor:
        """Return the ``tensor`` of all parts, joined along ``dim`` in their order."""

    @abstractmethod
    def from_first(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the ``tensor`` of the first part; those of the others only say its shape and type."""

    @abstractmethod
    def at_first(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Return the tensors of all parts, in their order, at the first part; an empty list at the others."""
