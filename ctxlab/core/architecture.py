"""What one may ask of a model's architecture, read from its config and its modules."""

from collections.abc import Mapping
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelFacts

TABLES = ("position_embeddings", "position_embedding", "wpe", "embed_positions")
RELATIVE = ("relative_attention_num_buckets", "position_buckets", "max_relative_positions")


def describe(model: Any, trained: Any = None) -> ModelFacts:
    """Facts about ``model``; positions that a strategy has extended count as trained.

    Args:
        model: As it was built.
        trained: Its config before anything was changed for this run; None where nothing was.
    """
    config = (model.config if trained is None else trained).get_text_config()
    positions, length = _positions(model, config)
    return ModelFacts(
        kind=_kind(model),
        positions=positions,
        trained_length=length,
        num_layers=int(config.num_hidden_layers),
        hidden_size=int(config.hidden_size),
        stretched=published_stretch(config) if positions == "rotary" else "",
    )


def _kind(model: Any) -> str:
    if getattr(model.config, "is_encoder_decoder", False):
        return "encoder_decoder"
    return "decoder" if is_causal(model) else "encoder"


def _positions(model: Any, config: Any) -> tuple[str, int | None]:
    """Kind of positions and the tokens that they were trained for."""
    learned = _learned_length(model)
    if learned is not None:
        return "learned", learned
    if getattr(config, "rope_parameters", None):
        return "rotary", reach(config)
    if any(getattr(config, name, None) for name in RELATIVE):
        return "relative", None
    return "none", None


def reach(config: Any) -> int | None:
    """Tokens that positions reach as a config has them; None where it names none.

    Configs of models that were published with YaRN's stretch mostly keep the length from before it in
    ``max_position_embeddings``.
    """
    longest = getattr(config, "max_position_embeddings", None)
    stretched = [
        int(one["factor"] * one["original_max_position_embeddings"])
        for one in _rotary(config)
        if one.get("rope_type") == "yarn" and one.get("factor") and one.get("original_max_position_embeddings")
    ]
    return None if longest is None else max(int(longest), *stretched, 0)


def published_stretch(config: Any) -> str:
    """Kind of the stretch that rotary positions were published with, which none can be put upon; empty for none."""
    if getattr(config, "ctxlab", {}).get("positions"):
        return ""  # ours starts again from what the model was trained with
    kinds = [one.get("rope_type", "default") for one in _rotary(config)]
    return next((kind for kind in kinds if kind != "default"), "")


def _rotary(config: Any) -> list[Mapping[str, Any]]:
    """Rotary parameters of each type of layer."""
    given = getattr(config, "rope_parameters", None) or {}
    nested = [one for one in given.values() if isinstance(one, Mapping)]
    return nested or [given]


def _learned_length(model: Any) -> int | None:
    """Rows of the learned table but those in front that stand for no position."""
    for name, module in model.named_modules():
        if name.rsplit(".", 1)[-1] in TABLES and isinstance(module, torch.nn.Embedding):
            behind_padding = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - int(getattr(module, "offset", behind_padding))
    return None


def is_causal(model: Any) -> bool:
    """Whether a token of what ``model`` reads sees only those before it, as the library's attention layers say."""
    if getattr(model.config, "is_encoder_decoder", False):
        return False  # what writes is causal, what reads is not
    causal = any(getattr(module, "is_causal", False) is True for module in model.modules())
    return causal and bool(getattr(model.config, "is_causal", True))


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
