"""Trainable modules beside a model's own: they live in it, so that they move, learn and are saved with it."""

from typing import Any

import torch

from ctxlab.core.model import PARTS


def attach(model: Any, family: str, module: torch.nn.Module) -> None:
    """Make ``module`` part of ``model``, in its precision and on its device, in place of the one of ``family``."""
    if not hasattr(model, PARTS):
        setattr(model, PARTS, torch.nn.ModuleDict())
    example = next(model.parameters())
    getattr(model, PARTS)[family] = module.to(device=example.device, dtype=example.dtype)


def attached(model: Any, family: str) -> torch.nn.Module | None:
    """The module of ``family`` in ``model``, if there is one."""
    parts = getattr(model, PARTS, None)
    return parts[family] if parts is not None and family in parts else None
