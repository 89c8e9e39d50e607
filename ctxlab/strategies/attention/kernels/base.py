"""What most attention parts have in common: they see indices only, and learn nothing."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch

from ctxlab.core.strategy import Attention, Pattern
from ctxlab.core.types import Table


class BaseAttention(Attention, ABC):
    """Defaults of ``core.strategy.Attention``; a part adds ``supports``, ``allowed``, ``pairs`` and ``install``."""

    wants_marks = False
    caches = False
    looks_ahead = False
    weighs = False

    @property
    def exact(self) -> bool:
        """All allowed pairs attend."""
        return True

    @abstractmethod
    def allowed(self, query: torch.Tensor, key: torch.Tensor, length: int) -> torch.Tensor:
        """Declared pattern; where heads differ, what any of them sees."""

    def pattern(self, inputs: Mapping[str, torch.Tensor], row: int) -> Pattern:
        """The same for all windows."""
        del inputs, row
        return self.allowed

    def penalty(self, model: Any) -> torch.Tensor | None:
        """Nothing is learned."""
        del model
        return None

    def figures(self, model: Any) -> dict[str, float]:
        """Nothing is learned."""
        del model
        return {}

    def tables(self, model: Any) -> list[Table]:
        """Nothing is learned."""
        del model
        return []
