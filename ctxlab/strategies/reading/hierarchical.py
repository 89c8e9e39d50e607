"""Windows encoded on their own, and a small Transformer over their states that lets them see each other."""

from typing import Any

import numpy as np
import torch

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import hidden_size, is_causal, last_layer_stack, note_installed
from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray
from ctxlab.strategies.reading.segments import Segments
from ctxlab.strategies.reading.windows.window_encoder import WindowEncoder

POOL = ("mean", "first")
"""The state of a window: the mean over its tokens, special ones included, or its first token."""


class Hierarchical(Segments):
    """Linked windows share a forward pass; what the Transformer over their states says is added to all their tokens.

    Source: HAT (Chalkidis et al. 2022, arXiv:2210.05529) and ToBERT (Pappagari et al. 2019, arXiv:1910.10781).
    Deviations: one encoder over windows behind the whole model, where HAT puts some between its layers; its output is
    added to the tokens of the window, where ToBERT has a head on the pooled windows; the last projection begins at
    zero, so that an untrained one is ``chunk`` with windows of this size; sinusoidal positions, which no document
    outgrows; norms come first. In a decoder a token hears of strictly earlier windows only. An encoder-decoder has it
    in what reads.
    """

    joins = True

    def __init__(self, window: int | None = None, num_layers: int = 2, num_heads: int = 4, pool: str = "mean") -> None:
        """Take the tokens of a window (None: the trained length), the encoder's size, and what a window's state is."""
        super().__init__(window)
        if num_layers < 1:
            raise UserError(f"strategy.reading.num_layers={num_layers} must be at least 1; strategy=chunk is without.")
        if num_heads < 1:
            raise UserError(f"strategy.reading.num_heads={num_heads} must be at least 1.")
        if pool not in POOL:
            raise UserError(f"strategy.reading.pool={pool} is not one of {', '.join(POOL)}.")
        self.num_layers, self.num_heads, self.pool = num_layers, num_heads, pool
        self._causal = False

    def install(self, model: Any) -> None:
        """Attach the encoder over windows to ``model``, and let it change the last hidden states.

        Raises:
            UserError: The heads do not divide the model's width, or the first token of a decoder's window is pooled.
        """
        width = hidden_size(model)
        if width % self.num_heads:
            raise UserError(
                f"strategy.reading.num_heads={self.num_heads} does not divide the model's width of {width}: "
                f"use {max(n for n in range(1, self.num_heads) if width % n == 0)}."
            )
        self._causal = is_causal(model)
        if self._causal and self.pool == "first":
            raise UserError(
                "strategy.reading.pool=first says nothing of a decoder's window, whose first token sees only itself: "
                "use strategy.reading.pool=mean."
            )
        for handle in getattr(model, "ctxlab_hierarchical", ()):
            handle.remove()
        encoder = self._encoder(model, width)
        model.ctxlab_hierarchical = (
            model.register_forward_pre_hook(encoder.look, with_kwargs=True),
            last_layer_stack(model).register_forward_hook(encoder.link),
        )
        reading = {"name": "hierarchical", "num_layers": self.num_layers, "num_heads": self.num_heads}
        note_installed(model.config, "reading", {**reading, "pool": self.pool})

    def _encoder(self, model: Any, width: int) -> WindowEncoder:
        """The one that ``model`` has where it fits, so that installing again forgets nothing; else a new one."""
        new = WindowEncoder(width, self.num_layers, self.num_heads, self.pool, causal=self._causal)
        old = attached(model, "reading")
        if isinstance(old, WindowEncoder) and _sizes(old) == _sizes(new):
            new.load_state_dict(old.state_dict())
        attach(model, "reading", new)
        return new.train(model.training)

    def reach(self, num_windows: int) -> BoolArray:
        """(N, N): all linked windows; in a decoder those before it: within itself a token hears of no later one."""
        if self._causal:
            return np.tri(num_windows, k=-1, dtype=np.bool_)
        return np.ones((num_windows, num_windows), dtype=np.bool_)


def _sizes(module: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}
