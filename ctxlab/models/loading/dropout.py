"""Setting dropout in the config of any architecture."""

import logging
from typing import Any

import torch

from ctxlab.core.errors import UserError

logger = logging.getLogger(__name__)

HIDDEN = (
    "hidden_dropout_prob", "dropout", "resid_pdrop", "embd_pdrop", "embedding_dropout", "mlp_dropout", "hidden_dropout",
    "dropout_rate",
)  # fmt: skip
HEAD = ("classifier_dropout",)
"""Field that a config may be given: the library's classification heads of decoders read it."""
ATTENTION = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")


def set_dropout(config: Any, dropout: float | None, attention_dropout: float) -> None:
    """Write both rates into ``config``, before a model is built from it.

    Args:
        config: A config of Transformers, changed in place; fields that it does not have are left alone.
        dropout: Rate after embeddings, projections and feed-forward layers, or before a classification head where
            the body has none; None keeps the model's own.
        attention_dropout: Rate on attention probabilities.

    Raises:
        UserError: A rate outside [0, 1).
    """
    for name, rate in (("dropout", dropout), ("attention_dropout", attention_dropout)):
        if rate is not None and not 0 <= rate < 1:
            raise UserError(f"model.{name}={rate} must be at least 0 and below 1.")
    if attention_dropout > 0:
        logger.warning(
            "model.attention_dropout=%s disables the fast attention kernels: on a CPU a step at 4,096 tokens takes "
            "more than twenty times as long; use 0 to keep them.",
            attention_dropout,
        )
    if dropout is not None:
        _write(config, HIDDEN if _has(config, HIDDEN) else HEAD, dropout)
    _write(config, ATTENTION, attention_dropout)


def check_dropout(model: Any, dropout: float | None) -> None:
    """Refuse a rate that changes nothing in a built ``model``, such as a Llama without a classification head.

    Args:
        model: Built from a config that ``set_dropout`` changed.
        dropout: The rate that was asked for.

    Raises:
        UserError: No module has it.
    """
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    if not dropout or _has(model.config, HIDDEN) or dropout in rates:
        return
    has = " (it has model.attention_dropout)" if _has(model.config, ATTENTION) else ""
    raise UserError(
        f"model.dropout={dropout} changes nothing in {type(model).__name__}, which has no dropout on hidden states{has}"
        ": leave it out."
    )


def attention_dropout(config: Any) -> float:
    """Return the rate on attention probabilities in ``config``; 0 where it has no field for it."""
    return max((float(getattr(config, name, 0.0) or 0.0) for name in ATTENTION), default=0.0)


def set_attention_dropout(model: Any, rate: float) -> None:
    """Set the rate on attention probabilities in a built model whose config has no field for it.

    T5-like models have a single rate for everything, of which each attention module has a copy.
    """
    for module in model.modules():
        if hasattr(module, "relative_attention_num_buckets") and isinstance(getattr(module, "dropout", None), float):
            module.dropout = float(rate)


def _has(config: Any, names: tuple[str, ...]) -> bool:
    return any(hasattr(config, name) for name in names)


def _write(config: Any, names: tuple[str, ...], rate: float) -> None:
    for name in names:
        if hasattr(config, name) or names is HEAD:
            setattr(config, name, rate)
