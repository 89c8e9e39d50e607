"""What memories need to check that they work with a model: sample inputs, expected errors, and the message."""

from typing import Any

import torch

from ctxlab.core.added_modules import attached
from ctxlab.core.architecture import SAMPLE_TOKENS, padding_id, vocabulary_size
from ctxlab.core.errors import UserError
from ctxlab.core.model import MEMBER, TASK_MODULE


def sample_inputs(model: Any) -> dict[str, torch.Tensor]:
    """Return one row of a few tokens, none of them padding (to which some models give no position of its own)."""
    padding = padding_id(model)
    real = [token for token in range(SAMPLE_TOKENS + 1) if token != padding]
    ids = torch.tensor([real[:SAMPLE_TOKENS]], device=model.device) % vocabulary_size(model)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def samples_of_heads(model: Any) -> list[dict[str, torch.Tensor]]:
    """Return sample inputs that ask each of the model's heads; most have one."""
    heads = getattr(attached(model, TASK_MODULE), "names", ())
    return [{**sample_inputs(model), MEMBER: torch.tensor([n])} for n in range(len(heads))] or [sample_inputs(model)]


def incompatible(model: Any, name: str, why: object) -> UserError:
    """Return the error that names the memory, the model type, the reason and an alternative."""
    line = str(why).split("\n")[0].rstrip(".")
    return UserError(
        f"strategy/memory={name} does not work with model type `{model.config.model_type}` ({line}): "
        "use strategy=chunk, which works with any model."
    )
