"""Windows are encoded independently; a small Transformer over the window states connects them."""

from typing import Any

import numpy as np
import torch

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import hidden_size, is_causal, last_layer_stack, note_installed
from ctxlab.core.errors import UserError
from ctxlab.core.types import BoolArray
from ctxlab.strategies.reading.segments import Segments
from ctxlab.strategies.reading.windows.window_encoder import WindowEncoder

POOL = ("mean", "first", "attention")
"""How a window is pooled to one state: the mean over its tokens, special ones included, its first token, or a mean that
is weighted by a softmax of the products of its tokens with a learned query."""

LEVELS = (2, 3)
"""Windows and document; or windows, sections and document."""


class Hierarchical(Segments):
    """Linked windows share a forward pass; the output of a Transformer over their states is added to all their tokens.

    Source: HAT (Chalkidis et al. 2022, arXiv:2210.05529) and ToBERT (Pappagari et al. 2019, arXiv:1910.10781).
    Deviations: one encoder over windows after the whole model, while HAT interleaves several with its layers; its
    output is added to the tokens of the window, while ToBERT has a head on the pooled windows; the last projection is
    initialised to zero, so that an untrained one equals ``chunk`` with windows of this size; sinusoidal positions,
    which have no maximum; pre-layer norm. In a decoder, a token receives information from strictly earlier windows
    only. In an encoder-decoder it is part of the encoder. Attention pooling is that of HAN (Yang et al. 2016) without
    its hidden layer, and begins as the mean. With three levels, encoders over the windows of a section and over the
    sections of a document follow one another (after HAN's words, sentences and documents).
    """

    joins = True

    def __init__(
        self,
        window: int | None = None,
        num_layers: int = 2,
        num_heads: int = 4,
        pool: str = "mean",
        levels: int = 2,
        group: int = 8,
    ) -> None:
        """Build the reading.

        Args:
            window: Tokens of a window, special tokens included; None for the trained length.
            num_layers: Layers of the Transformer over windows.
            num_heads: Its attention heads; they must divide the model's width.
            pool: How a window is pooled: mean, first or attention.
            levels: 2, or 3 with sections between windows and document.
            group: Windows of a section.

        Raises:
            UserError: A value is out of range or unknown.
        """
        super().__init__(window)
        if num_layers < 1:
            raise UserError(
                f"strategy.reading.num_layers={num_layers} must be at least 1: use strategy=chunk for windows that are "
                "not connected."
            )
        if num_heads < 1:
            raise UserError(f"strategy.reading.num_heads={num_heads} must be at least 1.")
        if pool not in POOL:
            raise UserError(f"strategy.reading.pool={pool} is not one of {', '.join(POOL)}.")
        if levels not in LEVELS:
            raise UserError(
                f"strategy.reading.levels={levels} is not 2 (windows, document) or 3 (windows, sections, document)."
            )
        if group < 2:
            raise UserError(f"strategy.reading.group={group} must be at least 2 windows of a section.")
        self.num_layers, self.num_heads, self.pool = num_layers, num_heads, pool
        self.section = group if levels == 3 else None
        self._causal = False

    def install(self, model: Any) -> None:
        """Attach the encoder over windows to ``model``, with hooks that add its output to the last hidden states.

        Raises:
            UserError: The heads do not divide the model's width, or ``pool=first`` is used with a decoder.
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
                "strategy.reading.pool=first does not work with a decoder, as the first token of its windows sees only "
                "itself: use strategy.reading.pool=mean."
            )
        for handle in getattr(model, "ctxlab_hierarchical", ()):
            handle.remove()
        encoder = self._encoder(model, width)
        model.ctxlab_hierarchical = (
            model.register_forward_pre_hook(encoder.take_inputs, with_kwargs=True),
            last_layer_stack(model).register_forward_hook(encoder.add_output),
        )
        reading = {"name": "hierarchical", "num_layers": self.num_layers, "num_heads": self.num_heads}
        sections = {} if self.section is None else {"levels": 3, "group": self.section}
        note_installed(model.config, "reading", {**reading, "pool": self.pool, **sections})

    def _encoder(self, model: Any, width: int) -> WindowEncoder:
        """Return a new encoder, with the weights of the one in ``model`` where sizes match (installed before)."""
        new = WindowEncoder(
            width, self.num_layers, self.num_heads, self.pool, causal=self._causal, section=self.section
        )
        old = attached(model, "reading")
        if isinstance(old, WindowEncoder) and _sizes(old) == _sizes(new):
            new.load_state_dict(old.state_dict())
        attach(model, "reading", new)
        return new.train(model.training)

    def reach(self, num_windows: int) -> BoolArray:
        """Declare (N, N): all linked windows; in a decoder strictly earlier ones, so that causality holds."""
        if self._causal:
            return np.tri(num_windows, k=-1, dtype=np.bool_)
        return np.ones((num_windows, num_windows), dtype=np.bool_)


def _sizes(module: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}
