"""Parameters of the optimizer, with and without weight decay."""

from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.added_modules import attached
from ctxlab.core.model import TUNING_MODULE
from ctxlab.core.optim import Averaging, ParameterGroup, Tuning


def parameter_groups(groups: Sequence[ParameterGroup], weight_decay: float) -> list[dict[str, Any]]:
    """Return each of ``groups`` as two groups of an optimizer: matrices with weight decay, vectors without.

    Their ``lr_scale`` is the factor of a group on the learning rate of the run, which the training loop sets.
    """
    found = []
    for group in groups:
        parts = ((weight_decay, lambda p: p.ndim >= 2), (0.0, lambda p: p.ndim < 2))  # vectors: biases, norms
        for decay, belongs in parts:
            chosen = [parameter for parameter in group.parameters if belongs(parameter)]
            if chosen:
                found.append({"params": chosen, "weight_decay": decay, "lr_scale": group.lr_scale})
    return found


def count_parameters(model: torch.nn.Module, *, trainable: bool = False) -> int:
    """Return the number of weights, or of trainable ones; weights of 8 bits, which cannot be trained, are buffers."""
    whole = () if trainable else (one for one in model.buffers() if one.dtype == torch.int8)
    return sum(p.numel() for p in (*model.parameters(), *whole) if p.requires_grad or not trainable)


def weight_bytes(model: torch.nn.Module) -> int:
    """Return the bytes of all weights and buffers."""
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


def doubled_bytes(model: torch.nn.Module, tuning: Tuning) -> int:
    """Return the bytes of the weights that a checkpoint has twice, merged with the adapters of ``tuning`` and not."""
    own = attached(model, TUNING_MODULE)
    saved = sum(tensor.nbytes for tensor in tuning.save(model).values())
    return saved - (0 if own is None else weight_bytes(own))


def average_bytes(model: torch.nn.Module, rule: Averaging) -> int:
    """Return the bytes of the copies of trained weights that ``rule`` keeps in memory."""
    return rule.copies * sum(tensor.nbytes for tensor in model.parameters() if tensor.requires_grad)


def average_file_bytes(model: torch.nn.Module, rule: Averaging) -> int:
    """Return the bytes that ``rule`` adds to a checkpoint: its copies, and the weights that training goes on with."""
    return average_bytes(model, rule) * (rule.copies + 1) // max(rule.copies, 1)
