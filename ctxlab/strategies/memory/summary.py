"""Summary tokens compress each window to a few vectors, which are soft prompts of the windows that follow.

Shape legend: as in ``embedded.io``, K summary tokens, S windows whose summaries are kept.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Forward, ModelKind
from ctxlab.core.types import BoolArray
from ctxlab.strategies.memory.caches.base import BaseMemory
from ctxlab.strategies.memory.embedded.io import EmbeddingIO


class Summary(BaseMemory):
    """Appends summary tokens to every window; their last hidden states come before the windows after it.

    The summaries of the last ``accumulate`` windows are kept side by side, oldest first, so that each window sees those
    vectors themselves; a memory that is overwritten (``recurrent``) has them pass through all windows between.

    Source: AutoCompressor (Chevalier et al. 2023, arXiv:2305.14788). Deviations: at most ``accumulate`` summaries, as
    each takes positions of the model, and trained vectors where there is none yet, where the paper keeps all and begins
    with none (so that every window has as many positions); the gradient is cut after every ``bptt_windows``-th window;
    windows have the fixed length of the reading, not random ones; encoders work too. With 0 tokens it is no memory.
    """

    supports: frozenset[ModelKind] = frozenset({"encoder", "decoder"})

    def __init__(self, num_tokens: int = 8, accumulate: int = 4, bptt_windows: int = 2) -> None:
        """Take the summary tokens of a window, the windows whose summaries are kept, and those of the gradient."""
        if num_tokens < 0:
            raise UserError(f"strategy.memory.num_tokens={num_tokens} must be 0 or more summary tokens of a window.")
        if accumulate < 1:
            raise UserError(f"strategy.memory.accumulate={accumulate} must be at least 1 window whose summary is kept.")
        if bptt_windows < 1:
            raise UserError(f"strategy.memory.bptt_windows={bptt_windows} must be at least 1 window.")
        self.num_tokens, self.accumulate, self.gradient_windows = num_tokens, accumulate, bptt_windows
        self.num_front = accumulate * num_tokens
        self.num_added = self.num_front + num_tokens

    def install(self, model: Any) -> None:
        """Attach the trained vectors to ``model``, with the standard deviation of its token embeddings."""
        if self.num_tokens:
            self._io = EmbeddingIO(model, "summary")
            width = self._io.check()
            own = attached(model, "memory")
            if not isinstance(own, SummaryTokens) or own.sizes != (self.num_front, self.num_tokens, width):
                deviation = float(self._io.embed.weight.detach().std())
                own = SummaryTokens(self.num_front, self.num_tokens, width, deviation)
                attach(model, "memory", own)
            self._own = own
        self.declare(
            model,
            name="summary",
            num_tokens=self.num_tokens,
            accumulate=self.accumulate,
            bptt_windows=self.gradient_windows,
        )

    def start(self, batch_size: int) -> torch.Tensor | None:
        """Return (B, S · K, D): the trained vectors, for every document."""
        return self._own.start.expand(batch_size, -1, -1) if self.num_tokens else None

    def step(
        self, forward: Forward, inputs: Mapping[str, Any], state: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Run the window between the summaries so far and its summary tokens, whose states replace the oldest ones."""
        if state is None:
            return forward(inputs).logits, None
        passed = self._io.run(forward, inputs, state, self._own.ask.expand(len(state), -1, -1))
        return passed.outputs, torch.cat([state[:, self.num_tokens :], passed.back.to(state.dtype)], dim=1)

    def first(self, state: torch.Tensor | None, num_rows: int) -> torch.Tensor | None:
        """Return the summaries of the first documents."""
        return state if state is None else state[:num_rows]

    def detach(self, state: torch.Tensor | None) -> torch.Tensor | None:
        """Return the summaries, detached from the gradient."""
        return state if state is None else state.detach()

    def reach(self, num_windows: int, num_layers: int) -> BoolArray:
        """Declare (N, N): each window depends on all earlier ones, as summaries are written with summaries in sight."""
        if not self.num_tokens:
            return super().reach(num_windows, num_layers)
        return np.tri(num_windows, dtype=np.bool_)


class SummaryTokens(torch.nn.Module):
    """The trained vectors: those of summary tokens, and those in the place of summaries that are not there yet."""

    def __init__(self, num_start: int, num_tokens: int, width: int, deviation: float) -> None:
        """Draw the vectors.

        Args:
            num_start: Vectors in the place of summaries (S · K).
            num_tokens: Summary tokens of a window (K).
            width: Width of the token embeddings (D).
            deviation: Standard deviation of the token embeddings.
        """
        super().__init__()
        self.sizes = (num_start, num_tokens, width)
        self.start = torch.nn.Parameter(torch.randn(num_start, width) * deviation)
        self.ask = torch.nn.Parameter(torch.randn(num_tokens, width) * deviation)
