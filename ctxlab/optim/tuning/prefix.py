"""Prefix tuning: trained keys and values that every token of a layer sees.

Shape legend: K key heads, P trained keys, D head width.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core import prefix
from ctxlab.core.matrices import Matrix
from ctxlab.optim.tuning.adapters.adapted import Adapted, Adapter, check_options
from ctxlab.optim.tuning.adapters.trained_keys import self_attentions, use_trained_keys

DEVIATION = 0.02
"""Standard deviation of new keys and values."""


class KeysAndValues(Adapter):
    """The trained keys and values of one self-attention."""

    changed = ()

    def __init__(self, num_heads: int, num_tokens: int, width: int) -> None:
        super().__init__()
        self.keys = torch.nn.Parameter(DEVIATION * torch.randn(num_heads, num_tokens, width))  # (K, P, D)
        self.values = torch.nn.Parameter(DEVIATION * torch.randn(num_heads, num_tokens, width))  # (K, P, D)

    def install(self, module: torch.nn.Module) -> None:
        """Give the prefix to ``module``, in a tuple, so that it is not a part of the module."""
        setattr(module, prefix.ATTRIBUTE, (self,))


class Prefix(Adapted):
    """Trains ``num_tokens`` keys and values for each layer, which all tokens attend to, whatever the pattern.

    In an encoder-decoder these are the layers of the encoder.

    Source: prefix tuning (Li & Liang 2021, arXiv:2101.00190). Deviations: keys and values are trained directly and
    start small, where the authors compute them by a network that is dropped after training; they have no positions, so
    that those of the text stay as they are; encoder-decoders get none in the decoder. It cannot be merged.
    """

    merges = False

    def __init__(self, num_tokens: int, lr_scale: float, train: Sequence[str]) -> None:
        """Take the keys of each layer, the factor on the learning rate, and kinds of other parameters to train."""
        super().__init__("all", train, lr_scale)
        check_options(num_tokens=num_tokens)
        self.num_tokens = num_tokens

    def find(self, model: Any) -> list[Matrix]:
        """Return the self-attentions of the layers; raises UserError if a layer does not use the interface."""
        shapes = self_attentions(model, "prefix")
        return [Matrix(name, module) for name, module in model.named_modules() if module in shapes]

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return keys and values for each attention."""
        shapes = self_attentions(model, "prefix")
        return {one.name: KeysAndValues(shapes[one.module][0], self.num_tokens, shapes[one.module][1]) for one in found}

    def install(self, model: Any) -> None:
        """Freeze the body, and give each layer keys and values.

        Raises:
            UserError: The attention of the strategy has no way for them.
        """
        super().install(model)
        use_trained_keys(model, "prefix")
