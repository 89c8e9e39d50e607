"""A look at a model before a memory relies on it: a few tokens tell whether it gives a hold."""

from typing import Any

import torch

from ctxlab.core.architecture import vocabulary_size
from ctxlab.core.errors import UserError

PROBE_TOKENS = 8

REFUSALS = (ValueError, KeyError, NotImplementedError, TypeError, AttributeError, RuntimeError, IndexError)
"""How a model fails that does not take what a memory gives it."""


def probe_inputs(model: Any) -> dict[str, torch.Tensor]:
    """A row of a few tokens, none of them padding (which some models give no position of its own)."""
    config = model.config.get_text_config()
    real = [token for token in range(PROBE_TOKENS + 1) if token != config.pad_token_id]
    ids = torch.tensor([real[:PROBE_TOKENS]], device=model.device) % vocabulary_size(model)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def refusal(model: Any, name: str, why: object) -> UserError:
    """Why this model gives the memory no hold, and what to use."""
    line = str(why).split("\n")[0].rstrip(".")
    return UserError(
        f"strategy/memory={name} finds no hold in model type `{model.config.model_type}` ({line}); "
        "use strategy=chunk, which works with any model."
    )
