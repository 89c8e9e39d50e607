"""Hooks by which the decoder of an encoder-decoder reads the encoder's states of several windows as one sequence.

Shape legend: B windows of a pass, W tokens of the longest one, G groups of windows, M tokens of the largest, D width.
"""

from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.fusion import GROUPS, KEPT, join


class Fusion:
    """Joins states between encoder and decoder of one forward pass; a pass without groups is left as it is."""

    def __init__(self) -> None:
        self._groups: torch.Tensor | None = None
        self._kept: torch.Tensor | None = None
        self._mask: torch.Tensor | None = None

    def watch(self, model: Any) -> tuple[Any, ...]:
        """Add the hooks to ``model`` and return their handles.

        Raises:
            UserError: The model has no decoder.
        """
        decoder = getattr(model, "get_decoder", lambda: None)()
        if decoder is None or decoder is model:
            raise UserError(
                f"strategy/reading=fused needs a decoder that reads all windows, and this {type(model).__name__} has "
                "none: use a task that generates text (qa, summarization), or strategy=hierarchical."
            )
        return (
            model.register_forward_pre_hook(self.take_inputs, with_kwargs=True),
            model.get_encoder().register_forward_hook(self.join_states),
            decoder.register_forward_pre_hook(self.give_mask, with_kwargs=True),
        )

    def take_inputs(
        self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Store which windows are read together and what is kept of them; a pre-hook of the whole model."""
        self._groups, self._kept, self._mask = kwargs.get(GROUPS), kwargs.get(KEPT), None
        return args, {name: value for name, value in kwargs.items() if name not in (GROUPS, KEPT)}

    def join_states(self, _: Any, args: tuple[Any, ...], output: Any) -> Any:
        """Replace the encoder's states (B, W, D) by those of the groups (G, M, D); a hook of the encoder."""
        del args
        if self._groups is None or self._kept is None:
            return output
        joined = join(output[0], self._groups, self._kept)
        self._groups, self._kept, self._mask = None, None, joined.mask
        if isinstance(output, tuple):
            return (joined.states, *output[1:])
        output["last_hidden_state"] = joined.states
        return output

    def give_mask(
        self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Let the decoder see the states of its group (G, M) instead of windows (B, W); a pre-hook of the decoder."""
        mask, self._mask = self._mask, None
        return args, kwargs if mask is None else {**kwargs, "encoder_attention_mask": mask}
