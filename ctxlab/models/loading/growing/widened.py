"""Adds hidden units to feed-forward blocks, which lead nowhere at first: their outgoing weights are zero."""

from typing import Any

import torch

from ctxlab.core.architecture import reading_stack
from ctxlab.core.projections import FeedForward, feed_forwards, set_width

SEED = 0
"""Of the incoming weights of new units, which are as wide as the present ones."""


@torch.no_grad()
def widen(model: Any, factor: float) -> tuple[int, int]:
    """Multiply the hidden units of all blocks of ``model`` by ``factor``, rounded; returns their number before, after.

    Raises:
        UserError: A layer has no block that is known, or several; names the model.
    """
    blocks = feed_forwards(model)
    old = blocks[0].width
    new = round(old * factor)
    generator = torch.Generator().manual_seed(SEED)
    for block in blocks:
        _widen(block, new - block.width, generator)
    for config in (model.config, reading_stack(model).config):
        set_width(config, new)
    return old, new


def _widen(block: FeedForward, count: int, generator: torch.Generator) -> None:
    width = block.width
    inputs: list[Any] = list(block.inputs)
    for projection in inputs:
        is_linear = isinstance(projection, torch.nn.Linear)
        weight = _rows(projection.weight if is_linear else projection.weight.T, width, count, generator)
        projection.weight = _parameter(weight if is_linear else weight.T, projection.weight)
        if projection.bias is not None:
            projection.bias = _parameter(_rows(projection.bias, width, count, None), projection.bias)
        setattr(projection, "out_features" if is_linear else "nf", len(weight))
    output: Any = block.output
    is_linear = isinstance(output, torch.nn.Linear)
    columns = output.weight if is_linear else output.weight.T
    zeros = columns.new_zeros(len(columns), count)
    wide = torch.cat([columns, zeros], 1)
    output.weight = _parameter(wide if is_linear else wide.T, output.weight)
    setattr(output, "in_features" if is_linear else "nx", width + count)


def _rows(tensor: torch.Tensor, width: int, count: int, generator: torch.Generator | None) -> torch.Tensor:
    """Return a tensor with ``count`` more rows after every ``width``: random ones as large as these, or zeros."""
    parts = []
    for part in tensor.split(width):
        shape = (count, *part.shape[1:])
        new = part.new_zeros(shape)
        if generator is not None:
            new = torch.randn(shape, generator=generator).to(part) * part.std()
        parts += [part, new]
    return torch.cat(parts)


def _parameter(tensor: torch.Tensor, like: torch.Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(tensor.contiguous(), requires_grad=like.requires_grad)
