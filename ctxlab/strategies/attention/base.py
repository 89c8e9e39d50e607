"""What most attention parts have in common: they see indices only, and learn nothing."""

from typing import Any

import torch

from ctxlab.core.types import Table


class Base:
    """Defaults of ``core.strategy.Attention``; a part adds ``supports``, ``allowed``, ``pairs`` and ``install``."""

    wants_marks = False

    def penalty(self, model: Any) -> torch.Tensor | None:
        """Nothing is learned."""
        del model
        return None

    def tables(self, model: Any) -> list[Table]:
        """Nothing is learned."""
        del model
        return []
