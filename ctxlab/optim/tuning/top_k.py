"""The head and the last k layers learn."""

from typing import Any

from ctxlab.core.architecture import layers
from ctxlab.core.errors import UserError
from ctxlab.core.optim import Tuning
from ctxlab.optim.tuning.head import Head


class TopK(Tuning):
    """Cheaper than full tuning: the backward pass stops below the last ``k`` layers."""

    def __init__(self, k: int) -> None:
        self.k = k

    def install(self, model: Any) -> None:
        """Freeze everything below the last ``k`` layers; raises UserError where there are not so many."""
        stack = layers(model)
        if not 1 <= self.k <= len(stack):
            raise UserError(f"tuning.k={self.k} does not fit a model of {len(stack)} layers; use 1 to {len(stack)}.")
        Head().install(model)
        for layer in stack[-self.k :]:
            layer.requires_grad_(True)
