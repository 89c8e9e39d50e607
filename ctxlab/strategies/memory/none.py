"""Nothing is carried from one window to the next."""

from collections.abc import Mapping
from typing import Any

import torch

from ctxlab.core.strategy import Forward, ModelKind


class NoMemory:
    """Windows are independent rows, batched across documents."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    sequential = False

    def start(self, batch_size: int) -> None:
        """No state."""
        del batch_size

    def step(self, forward: Forward, inputs: Mapping[str, torch.Tensor], state: Any) -> tuple[torch.Tensor, Any]:
        """One call of the model."""
        return forward(inputs), state
