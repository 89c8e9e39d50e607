"""Trainable modules of strategy parts: they live in the model, so that they move, learn and are saved with it."""

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


def is_causal(model: Any) -> bool:
    """Whether a token of what ``model`` reads sees only those before it, as the library's attention layers say."""
    if getattr(model.config, "is_encoder_decoder", False):
        return False  # what writes is causal, what reads is not
    causal = any(getattr(module, "is_causal", False) is True for module in model.modules())
    return causal and bool(getattr(model.config, "is_causal", True))
