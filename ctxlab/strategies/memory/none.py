"""No memory: nothing is carried from one window to the next."""

from collections.abc import Mapping
from typing import Any

import torch

from ctxlab.core.strategy import Forward
from ctxlab.strategies.memory.caches.base import BaseMemory


class NoMemory(BaseMemory):
    """Processes windows as independent rows, batched across documents."""

    sequential = False

    def start(self, batch_size: int) -> None:
        """Return no state."""
        del batch_size

    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Any) -> tuple[torch.Tensor, Any]:
        """Call the model once."""
        return forward(inputs).logits, state
