"""Trainable modules added to a model: as submodules they are moved, trained and saved with it."""

from typing import Any

import torch

from ctxlab.core.model import ADDED_MODULES


def attach(model: Any, family: str, module: torch.nn.Module) -> None:
    """Add ``module`` to ``model`` under the name ``family``, in the model's precision and on its device.

    A module of the same family is replaced.
    """
    if not hasattr(model, ADDED_MODULES):
        setattr(model, ADDED_MODULES, torch.nn.ModuleDict())
    example = next(model.parameters())
    getattr(model, ADDED_MODULES)[family] = module.to(device=example.device, dtype=example.dtype)


def attached(model: Any, family: str) -> torch.nn.Module | None:
    """Return the module of ``family`` that was added to ``model``, or None."""
    modules = getattr(model, ADDED_MODULES, None)
    return modules[family] if modules is not None and family in modules else None
