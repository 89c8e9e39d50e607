"""The parts of a Transformers model that tuning rules speak of: head, layers, embeddings."""

from typing import Any

import torch

from ctxlab.core.errors import UserError


def head_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Parameters outside the pretrained body."""
    body = {id(parameter) for parameter in model.base_model.parameters()}
    return [parameter for parameter in model.parameters() if id(parameter) not in body]


def layers(model: Any) -> torch.nn.ModuleList:
    """The stack of Transformer layers, first to last; raises UserError where none can be told."""
    for module in model.base_model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == model.config.num_hidden_layers:
            return module
    raise UserError(f"tuning=top_k finds no layer stack in {model.config.model_type}; use tuning=full or tuning=head.")


def embedding_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Embeddings of the body: all that stands before its layer stack, their norm included."""
    stack = {id(parameter) for parameter in layers(model).parameters()}
    return [
        parameter
        for name, parameter in model.base_model.named_parameters()
        if "embed" in name and id(parameter) not in stack
    ]
