"""The base class of attention parts: patterns of token indices, without parameters."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from ctxlab.core.parts import Part
from ctxlab.core.strategy import Attention, Pattern
from ctxlab.core.types import Table


class BaseAttention(Attention, ABC):
    """Defaults of ``core.strategy.Attention``; subclass it for a new part.

    A part adds ``supports``, ``allowed``, ``pairs`` and ``install``; sparse ones inherit most of it from ``Sparse``.
    """

    wants_marks = False
    caches = False
    shifts = False
    looks_ahead = False
    trains_only = False
    reweights = False
    least_part: int | None = None
    unexportable: str | None = "it has no form of its own for that"

    @property
    def exact(self) -> bool:
        """Whether all allowed pairs attend: True by default."""
        return True

    def fit(self, window: int) -> None:
        """Do nothing: no size depends on the window."""
        del window

    def reading(self) -> AbstractContextManager[None]:
        """Change nothing: evaluation reads with the pattern."""
        return nullcontext()

    def exporting(self, longest: int) -> AbstractContextManager[None]:
        """Raise NotImplementedError: the part has no form that can be exported."""
        raise NotImplementedError(f"{type(self).__name__} cannot be exported")

    @abstractmethod
    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declare the pattern; where heads differ, the union over heads."""

    def pattern(self, inputs: Mapping[str, torch.Tensor], row: int) -> Pattern:
        """Return ``allowed``, the same for all windows."""
        del inputs, row
        return self.allowed

    def split(self, part: Part, padding: torch.Tensor) -> AbstractContextManager[None]:
        """Raise NotImplementedError: the pattern cannot be split."""
        raise NotImplementedError(f"{type(self).__name__} sets no least_part")

    def penalty(self, model: Any) -> torch.Tensor | None:
        """Return None: the part has no parameters."""
        del model
        return None

    def figures(self, model: Any) -> dict[str, float]:
        """Return nothing: the part has no parameters."""
        del model
        return {}

    def tables(self, model: Any) -> list[Table]:
        """Return nothing: the part has no parameters."""
        del model
        return []
