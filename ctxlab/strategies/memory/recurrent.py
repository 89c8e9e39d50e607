"""Memory tokens that pass through the model with every window; their outputs are their inputs in the next one.

Shape legend: as in ``embedded.io``, M memory tokens.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import is_causal
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Forward, ModelKind
from ctxlab.core.types import BoolArray
from ctxlab.strategies.memory.caches.base import BaseMemory
from ctxlab.strategies.memory.embedded.io import EmbeddingIO


class Recurrent(BaseMemory):
    """Carries the last hidden states of memory tokens to the next window, as the memory's input embeddings there.

    Source: RMT (Bulatov et al. 2022, arXiv:2207.06881). As there, an encoder has the memory before the window; a
    decoder, whose first tokens do not see the window, has a read memory before and a write memory after it.
    Deviations: the gradient is cut after every ``bptt_windows``-th window, instead of flowing that many windows back
    from each; special tokens are in every window, after the memory; the carried hidden states are the input of the
    model's head, after its last norm. Where attention is sparse with global tokens, the read memory comes first and is
    among them. With 0 tokens it equals no memory.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})

    def __init__(self, num_tokens: int = 10, bptt_windows: int = 4) -> None:
        """Take the number of memory tokens, and the number of windows that the gradient flows through."""
        if num_tokens < 0:
            raise UserError(f"strategy.memory.num_tokens={num_tokens} must be 0 or more memory tokens.")
        if bptt_windows < 1:
            raise UserError(f"strategy.memory.bptt_windows={bptt_windows} must be at least 1 window.")
        self.num_tokens, self.gradient_windows = num_tokens, bptt_windows
        self.num_front = num_tokens
        self.num_added = 2 * num_tokens  # halved by ``install`` if the model is an encoder

    def install(self, model: Any) -> None:
        """Attach the initial memory to ``model``, with the width and the standard deviation of its token embeddings."""
        if self.num_tokens:
            self._attach(model)
        self.declare(model, name="recurrent", num_tokens=self.num_tokens, bptt_windows=self.gradient_windows)

    def _attach(self, model: Any) -> None:
        io = EmbeddingIO(model, "recurrent")
        width = io.check()
        first = attached(model, "memory")
        if not isinstance(first, FirstMemory) or first.start.shape != (self.num_tokens, width):
            first = FirstMemory(self.num_tokens, width, float(io.embed.weight.detach().std()))
            attach(model, "memory", first)
        self._io, self._first, self._writes = io, first, is_causal(model)
        self.num_added = self.num_tokens * (2 if self._writes else 1)

    def start(self, batch_size: int) -> torch.Tensor | None:
        """Return (B, M, D): the initial memory of every document."""
        if not self.num_tokens:
            return None
        return self._first.start.expand(batch_size, -1, -1)

    def step(
        self, forward: Forward, inputs: Mapping[str, Any], state: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Run the window between its read memory and, in a decoder, its write memory."""
        if state is None:
            return forward(inputs).logits, None
        passed = self._io.run(forward, inputs, state, state if self._writes else state[:, :0])
        carried = passed.back if self._writes else passed.front  # (B, M, D)
        return passed.outputs, carried.to(state.dtype)

    def first(self, state: torch.Tensor | None, num_rows: int) -> torch.Tensor | None:
        """Return the memory of the first documents."""
        return state if state is None else state[:num_rows]

    def detach(self, state: torch.Tensor | None) -> torch.Tensor | None:
        """Return the memory, detached from the gradient."""
        return state if state is None else state.detach()

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """Declare (N, N): each window depends on all earlier ones."""
        if not self.num_tokens:
            return super().reach(num_windows, num_layers)
        return np.tri(num_windows, dtype=np.bool_)


class FirstMemory(torch.nn.Module):
    """The trainable initial memory of every document, drawn with the standard deviation of token embeddings."""

    def __init__(self, num_tokens: int, width: int, deviation: float) -> None:
        super().__init__()
        self.start = torch.nn.Parameter(torch.randn(num_tokens, width) * deviation)
