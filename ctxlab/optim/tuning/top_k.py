"""Training of the head and the last k layers."""

from typing import Any

from ctxlab.core.architecture import decoder_layers, head_parameters, layers
from ctxlab.core.errors import UserError
from ctxlab.core.optim import Tuning


class TopK(Tuning):
    """Trains the head and the last ``k`` layers, which is cheaper than full tuning: the backward pass stops below them.

    Layers of an encoder-decoder are counted from the last one of its decoder back into its encoder. A head that is tied
    to the token embeddings stays frozen, because the embeddings are below all layers.
    """

    shards = True

    def __init__(self, k: int) -> None:
        self.k = k

    def install(self, model: Any) -> None:
        """Freeze everything below the last ``k`` layers; raises UserError if there are fewer."""
        stack = [*layers(model), *decoder_layers(model)]
        if not stack:
            raise UserError(
                f"tuning=top_k finds no layer stack in {model.config.model_type}; use tuning=full or tuning=head."
            )
        if not 1 <= self.k <= len(stack):
            raise UserError(f"tuning.k={self.k} does not fit a model of {len(stack)} layers; use 1 to {len(stack)}.")
        model.requires_grad_(False)
        for parameter in (*head_parameters(model), *(p for layer in stack[-self.k :] for p in layer.parameters())):
            parameter.requires_grad_(True)
