"""What memories have in common; one mechanism a subclass."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import note_installed
from ctxlab.core.strategy import Forward, Memory, ModelKind
from ctxlab.core.types import BoolArray


class Base(Memory, ABC):
    """Windows in order, with a state that the subclass defines; defaults of ``core.strategy.Memory``."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    positions: frozenset[str] = frozenset({"learned", "rotary", "relative", "none"})
    sequential = True
    num_added = 0
    num_front = 0
    num_cached: int | None = 0
    gradient_windows = 1

    def fit(self, window: int) -> None:
        """Nothing depends on the windows."""
        del window

    def install(self, model: Any) -> None:
        """Nothing to put into the model."""
        del model

    @abstractmethod
    def start(self, batch_size: int) -> Any:
        """State before the first window of ``batch_size`` documents."""

    @abstractmethod
    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Any) -> tuple[torch.Tensor, Any]:
        """Outputs (B, W, C) of one window per document, and the state for the next."""

    def first(self, state: Any, num_rows: int) -> Any:
        """The state of the first ``num_rows`` documents."""
        del num_rows
        return state

    def detach(self, state: Any) -> Any:
        """The same state, cut off from the gradient."""
        return state

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """(N, N): nothing leaves its window."""
        del num_layers
        return np.eye(num_windows, dtype=np.bool_)

    @staticmethod
    def declare(model: Any, **memory: Any) -> None:
        """Say in the saved config what is installed."""
        note_installed(model.config, "memory", memory)
