"""Projections that keep some of their inputs or outputs, and layers that keep some of their heads."""

from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.projections import AttentionBlock, attention_blocks, num_outputs


@torch.no_grad()
def keep_outputs(projection: Any, index: Sequence[int]) -> None:
    """Leave only the outputs ``index`` of a ``projection``, in that order."""
    kept = torch.as_tensor(index, device=projection.weight.device)
    is_linear = isinstance(projection, torch.nn.Linear)
    projection.weight = _kept(projection.weight, kept, 0 if is_linear else 1)
    if projection.bias is not None:
        projection.bias = _kept(projection.bias, kept, 0)
    setattr(projection, "out_features" if is_linear else "nf", len(kept))


@torch.no_grad()
def keep_inputs(projection: Any, index: Sequence[int]) -> None:
    """Leave only the inputs ``index`` of a ``projection``, in that order."""
    kept = torch.as_tensor(index, device=projection.weight.device)
    is_linear = isinstance(projection, torch.nn.Linear)
    projection.weight = _kept(projection.weight, kept, 1 if is_linear else 0)
    setattr(projection, "in_features" if is_linear else "nx", len(kept))


def _kept(tensor: torch.Tensor, index: torch.Tensor, dim: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(tensor.index_select(dim, index).contiguous(), requires_grad=tensor.requires_grad)


def keep_heads(model: Any, kept: Sequence[Sequence[int]]) -> None:
    """Leave only some units of attention in each layer: heads, or groups of heads with the same keys and values.

    Args:
        model: The model; the reading part of an encoder-decoder.
        kept: Numbers of the units that each layer keeps.
    """
    for block, units in zip(attention_blocks(model), kept, strict=True):
        _keep_units(block, units)


def _keep_units(block: AttentionBlock, units: Sequence[int]) -> None:
    wide, narrow = block.heads_per_unit * block.head_size, block.head_size
    of_queries, of_keys = _columns(units, wide), _columns(units, narrow)
    if len(block.inputs) == 1:
        third = num_outputs(block.inputs[0]) // 3
        keep_outputs(block.inputs[0], [part * third + column for part in range(3) for column in of_queries])
    else:
        for projection, index in zip(block.inputs, (of_queries, of_keys, of_keys), strict=True):
            keep_outputs(projection, index)
    keep_inputs(block.output, of_queries)
    if hasattr(block.module, "split_size"):  # GPT-2 divides the outputs of its single projection by it
        block.module.split_size = len(of_queries)


def _columns(units: Sequence[int], width: int) -> list[int]:
    return [unit * width + column for unit in units for column in range(width)]
