"""T5's relative bias as what it is, a value for each head and distance, instead of a tensor over all pairs.

At 16,384 tokens that tensor takes a gigabyte for each head.
"""

import inspect
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch

from ctxlab.strategies.attention.kernels.bias import Bias

PREFIX = "ctxlab_"
"""With which the names of all patterns begin; their attention functions take a ``RelativeBias`` or refuse it."""


@dataclass(frozen=True, slots=True, eq=False)
class RelativeBias:
    """Goes through the layers of a model in place of its ``position_bias``.

    Each layer computes the values anew, so that nothing is shared behind the back of gradient checkpointing.
    """

    module: Any
    """The attention that owns the weights."""
    length: int
    """Tokens of a window (L)."""
    device: Any

    def table(self) -> Bias:
        """The values (1, H, 2·L − 1) by distance, computed by the model's own function: a query in the middle."""
        compute, middle = type(self.module).compute_bias, self.length - 1
        row: torch.Tensor = compute(self.module, 1, 2 * self.length - 1, device=self.device, past_seen_tokens=middle)
        return Bias.of_distances(row[:, :, 0])


def as_bias(position_bias: RelativeBias | torch.Tensor) -> Bias:
    """What a layer hands over, by distance or (1 or B, H, queries, keys)."""
    return position_bias.table() if isinstance(position_bias, RelativeBias) else Bias.of_pairs(position_bias)


def compact_relative_bias(model: Any) -> None:
    """Let the attentions of ``model`` that own a relative bias hand it over as a ``RelativeBias``."""
    for module in model.modules():
        if getattr(module, "has_relative_attention_bias", False) and _is_over_pairs(module):
            module.compute_bias = MethodType(_compute_bias, module)


def _is_over_pairs(module: Any) -> bool:
    """As in T5; LongT5, which has blocks of its own, computes other biases under the same name."""
    compute = getattr(type(module), "compute_bias", None)
    wanted = {"query_length", "key_length", "device", "past_seen_tokens"}
    return compute is not None and wanted <= set(inspect.signature(compute).parameters)


def _compute_bias(
    module: Any, query_length: int, key_length: int, device: Any = None, past_seen_tokens: Any = 0
) -> RelativeBias | torch.Tensor:
    """In place of a model's own ``compute_bias``, which still serves any other attention function than ours."""
    name = module.config._attn_implementation or ""
    if name.startswith(PREFIX) and query_length == key_length:
        return RelativeBias(module, query_length, device)
    dense: torch.Tensor = type(module).compute_bias(module, query_length, key_length, device, past_seen_tokens)
    return dense
