"""The base class of memories."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import note_installed
from ctxlab.core.strategy import Forward, Memory, ModelKind
from ctxlab.core.types import BoolArray


class BaseMemory(Memory, ABC):
    """Defaults of ``core.strategy.Memory``; subclass it for a new memory, which adds ``start`` and ``step``."""

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder", "encoder_decoder"})
    positions: frozenset[str] = frozenset({"learned", "rotary", "relative", "none"})
    sequential = True
    num_added = 0
    num_front = 0
    num_cached: int | None = 0
    gradient_windows = 1

    def fit(self, window: int) -> None:
        """Do nothing: the memory does not depend on the window length."""
        del window

    def install(self, model: Any) -> None:
        """Do nothing: the model needs no changes."""
        del model

    @abstractmethod
    def start(self, batch_size: int) -> Any:
        """Return the state before the first window of ``batch_size`` documents."""

    @abstractmethod
    def step(self, forward: Forward, inputs: Mapping[str, Any], state: Any) -> tuple[torch.Tensor, Any]:
        """Run one window per document; return its outputs (B, W, C) and the next state."""

    def first(self, state: Any, num_rows: int) -> Any:
        """Return the state of the first ``num_rows`` documents."""
        del num_rows
        return state

    def detach(self, state: Any) -> Any:
        """Return the same state, detached from the gradient."""
        return state

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """Declare (N, N): each window depends on itself only."""
        del num_layers
        return np.eye(num_windows, dtype=np.bool_)

    @staticmethod
    def declare(model: Any, **memory: Any) -> None:
        """Record the installed memory and its options in the model's config."""
        note_installed(model.config, "memory", memory)
