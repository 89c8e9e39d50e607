"""Layers that share their weights: separate modules with the same parameters, each of which is in the file once.

The modules stay apart, because attention parts and KV caches tell layers from one another.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.architecture import decoder_layers, layers
from ctxlab.models.loading.reduced.int8 import Int8Linear


def tie(model: Any, leaders: Sequence[Sequence[int]]) -> None:
    """Give each layer the parameters of the layer that leads it.

    Args:
        model: The model.
        leaders: Number of the layer whose weights each layer has, of its (encoder's) layers and of its decoder's.
    """
    for stack, numbers in zip((layers(model), decoder_layers(model)), leaders, strict=True):
        for layer, number in zip(stack, numbers, strict=True):
            if layer is not stack[number]:
                _tie(stack[number], layer)


def _tie(leader: torch.nn.Module, layer: torch.nn.Module) -> None:
    others = dict(layer.named_modules())
    for name, module in leader.named_modules():
        other = others.get(name)
        if other is None:
            continue
        for key in module._parameters.keys() & other._parameters.keys():
            other._parameters[key] = module._parameters[key]
        if isinstance(module, Int8Linear):
            other._buffers.update(module._buffers)


def left_out(model: Any, leaders: Sequence[Sequence[int]]) -> set[str]:
    """Return the names of the weights that a file of ``model`` leaves out: those that are another layer's, too."""
    places = {id(module): name for name, module in model.named_modules()}
    names = set()
    for stack, numbers in zip((layers(model), decoder_layers(model)), leaders, strict=True):
        for layer, number in zip(stack, numbers, strict=True):
            if layer is not stack[number]:
                both = layer.state_dict().keys() & stack[number].state_dict().keys()
                names |= {f"{places[id(layer)]}.{key}" for key in both}
    return names
