"""Parameters of the optimizer, with and without weight decay."""

from typing import Any

import torch


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return trainable parameters in two groups: matrices with weight decay, vectors (biases, norms) without."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def count_parameters(model: torch.nn.Module, *, trainable: bool = False) -> int:
    """Return the number of weights, or of trainable ones."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


def weight_bytes(model: torch.nn.Module) -> int:
    """Return the bytes of all weights and buffers."""
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
