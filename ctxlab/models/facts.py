"""What a stage must know of a built model, read from its config and its modules."""

from typing import Any

import torch

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
    )


def _kind(model: Any) -> str:
    if getattr(model.config, "is_encoder_decoder", False):
        return "encoder_decoder"
    causal = any(getattr(module, "is_causal", False) is True for module in model.modules())
    return "decoder" if causal and getattr(model.config, "is_causal", True) else "encoder"


def _positions(model: Any, config: Any) -> tuple[str, int | None]:
    """Kind of positions and the tokens that they were trained for."""
    learned = _learned_length(model)
    if learned is not None:
        return "learned", learned
    if getattr(config, "rope_parameters", None):
        return "rotary", int(config.max_position_embeddings)
    if any(getattr(config, name, None) for name in RELATIVE):
        return "relative", None
    return "none", None


def _learned_length(model: Any) -> int | None:
    """Rows of the learned table but those in front that stand for no position."""
    for name, module in model.named_modules():
        if name.rsplit(".", 1)[-1] in TABLES and isinstance(module, torch.nn.Embedding):
            behind_padding = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - int(getattr(module, "offset", behind_padding))
    return None
