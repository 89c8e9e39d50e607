"""T5's relative bias as one value per head and distance, instead of a tensor over all pairs.

At 16,384 tokens that tensor takes a gigabyte per head.
"""

import inspect
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch

from ctxlab.strategies.attention.kernels.bias import Bias

PREFIX = "ctxlab_"
"""Prefix of the names of all patterns; their attention functions accept a ``RelativeBias`` or raise an error."""


@dataclass(frozen=True, slots=True, eq=False)
class RelativeBias:
    """Replaces the ``position_bias`` tensor that a model passes from layer to layer.

    Each layer computes the values again, so that gradient checkpointing sees no tensor shared between layers.
    """

    module: Any
    """The attention that owns the weights."""
    length: int
    """Tokens of a window (L)."""
    device: Any

    def table(self) -> Bias:
        """Return the values (1, H, 2·L − 1) by distance, computed by the model's own function for the middle query."""
        compute, middle = type(self.module).compute_bias, self.length - 1
        row: torch.Tensor = compute(self.module, 1, 2 * self.length - 1, device=self.device, past_seen_tokens=middle)
        return Bias.of_distances(row[:, :, 0])

    def pairs(self) -> torch.Tensor:
        """Return the values (1, H, L, L) by pair, by the model's own function."""
        compute = type(self.module).compute_bias
        found: torch.Tensor = compute(self.module, self.length, self.length, device=self.device)
        return found


def as_bias(position_bias: RelativeBias | torch.Tensor) -> Bias:
    """Convert what a layer passes, a ``RelativeBias`` or a tensor (1 or B, H, queries, keys)."""
    return position_bias.table() if isinstance(position_bias, RelativeBias) else Bias.of_pairs(position_bias)


def compact_relative_bias(model: Any) -> None:
    """Make the attention modules of ``model`` that own a relative bias return it as a ``RelativeBias``."""
    for module in model.modules():
        if getattr(module, "has_relative_attention_bias", False) and _is_over_pairs(module):
            module.compute_bias = MethodType(_compute_bias, module)


def _is_over_pairs(module: Any) -> bool:
    """Return whether ``compute_bias`` has T5's signature; LongT5's blocked attention has another one of that name."""
    compute = getattr(type(module), "compute_bias", None)
    wanted = {"query_length", "key_length", "device", "past_seen_tokens"}
    return compute is not None and wanted <= set(inspect.signature(compute).parameters)


def _compute_bias(
    module: Any, query_length: int, key_length: int, device: Any = None, past_seen_tokens: Any = 0
) -> RelativeBias | torch.Tensor:
    """Replace a model's own ``compute_bias``, which is still used for attention functions other than ours.

    Args:
        module: The attention module that owns the bias.
        query_length: Number of queries.
        key_length: Number of keys.
        device: Where the bias is computed.
        past_seen_tokens: Tokens in the KV cache.
    """
    name = module.config._attn_implementation or ""
    if name.startswith(PREFIX) and query_length == key_length:
        return RelativeBias(module, query_length, device)
    dense: torch.Tensor = type(module).compute_bias(
        module, query_length, key_length, device=device, past_seen_tokens=past_seen_tokens
    )
    return dense
