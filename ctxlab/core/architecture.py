"""What one may ask of a model's architecture: the only place that knows how the library spells it.

Sizes come from the config, all else from the modules. An encoder-decoder *reads* with its encoder.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.model import ADDED_MODULES, ModelFacts

TABLES = ("position_embeddings", "position_embedding", "wpe", "embed_positions")
"""What learned position tables are called."""

RELATIVE = ("relative_attention_num_buckets", "position_buckets", "max_relative_positions")
"""Fields of a config that has relative positions."""

DECODER_LAYERS = ("num_decoder_layers", "decoder_layers")
"""Fields of a config with the number of layers of a decoder that has an encoder beside it."""

NOTE = "ctxlab"
"""Field of a saved config that says what was installed in the model, by family of parts."""


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
    if has_encoder_and_decoder(model.config):
        return "encoder_decoder"
    return "decoder" if is_causal(model) else "encoder"


def _positions(model: Any, config: Any) -> tuple[str, int | None]:
    """Kind of positions and the tokens that they were trained for."""
    learned = learned_tables(model)
    if learned:
        return "learned", learned[0].length
    if getattr(config, "rope_parameters", None):
        return "rotary", position_limit(config)
    if any(getattr(config, name, None) for name in RELATIVE):
        return "relative", None
    return "none", None


def published_stretch(config: Any) -> str:
    """Kind of the stretch that rotary positions were published with, which none can be put upon; empty for none."""
    if installed(config, "positions"):
        return ""  # ours starts again from what the model was trained with
    kinds = [one.get("rope_type", "default") for one in _rotary(config)]
    return next((kind for kind in kinds if kind != "default"), "")


def _rotary(config: Any) -> list[Mapping[str, Any]]:
    """Rotary parameters of each type of layer."""
    given = getattr(config, "rope_parameters", None) or {}
    nested = [one for one in given.values() if isinstance(one, Mapping)]
    return nested or [given]


def has_encoder_and_decoder(config: Any) -> bool:
    """Whether models of this ``config`` have an encoder that reads and a decoder apart that writes."""
    return bool(getattr(config, "is_encoder_decoder", False))


def is_causal(model: Any) -> bool:
    """Whether a token of what ``model`` reads sees only those before it, as the library's attention layers say."""
    if has_encoder_and_decoder(model.config):
        return False  # what writes is causal, what reads is not
    causal = any(getattr(module, "is_causal", False) is True for module in model.modules())
    return causal and bool(getattr(model.config, "is_causal", True))


# Sizes, of a model or of its encoder alone.


def num_layers(model: Any) -> int:
    """Transformer layers of what reads."""
    return int(model.config.get_text_config().num_hidden_layers)


def hidden_size(model: Any) -> int:
    """Width of the states between layers."""
    return int(model.config.get_text_config().hidden_size)


def num_heads(model: Any) -> int | None:
    """Query heads of a layer; None where layers have no fixed number of them."""
    heads = getattr(model.config.get_text_config(), "num_attention_heads", None)
    return heads if isinstance(heads, int) else None


def vocabulary_size(model: Any) -> int:
    """Rows of the table of token embeddings."""
    return int(model.config.get_text_config().vocab_size)


def position_limit(config: Any) -> int | None:
    """Tokens that the positions of a ``config`` reach as they are; None where it names no limit.

    Configs of models that were published with YaRN's stretch mostly keep the length from before it in
    ``max_position_embeddings``.
    """
    text = config.get_text_config()
    limit = getattr(text, "max_position_embeddings", None)
    stretched = [
        int(one["factor"] * one["original_max_position_embeddings"])
        for one in _rotary(text)
        if one.get("rope_type") == "yarn" and one.get("factor") and one.get("original_max_position_embeddings")
    ]
    return None if limit is None else max(int(limit), *stretched, 0)


# Parts of a model.


@dataclass(frozen=True, slots=True, eq=False)
class LearnedTable:
    """A learned table of absolute positions, found in a model."""

    module: torch.nn.Embedding
    offset: int
    """Rows in front that stand for no position (RoBERTa counts from behind its padding index)."""

    @property
    def length(self) -> int:
        """Tokens that a window may have."""
        return self.module.num_embeddings - self.offset


def learned_tables(model: Any) -> list[LearnedTable]:
    """The learned tables of ``model`` (an encoder and a decoder may have one each), or none."""
    tables = []
    for name, module in model.named_modules():
        if name.rsplit(".", 1)[-1] in TABLES and isinstance(module, torch.nn.Embedding):
            behind_padding = 0 if module.padding_idx is None else module.padding_idx + 1
            tables.append(LearnedTable(module, int(getattr(module, "offset", behind_padding))))
    return tables


def reading_stack(model: Any) -> Any:
    """What reads: the encoder of an encoder-decoder, else ``model`` itself."""
    return model.get_encoder() if has_encoder_and_decoder(model.config) else model


def last_layer_stack(model: Any) -> Any:
    """The module whose output are the last hidden states of what is read, before anything pools them."""
    if has_encoder_and_decoder(model.config):
        return model.get_encoder()
    body = model.base_model
    return body.encoder if getattr(body, "pooler", None) is not None and hasattr(body, "encoder") else body


def layers(model: Any) -> list[torch.nn.Module]:
    """The Transformer layers that read, first to last; none where they cannot be told by their number."""
    return _stack(reading_stack(model), num_layers(model))


def decoder_layers(model: Any) -> list[torch.nn.Module]:
    """The layers of a decoder apart, first to last; none where there is none."""
    if not has_encoder_and_decoder(model.config):
        return []
    counts = [getattr(model.config, name) for name in DECODER_LAYERS if hasattr(model.config, name)]
    return _stack(model.get_decoder(), counts[0]) if counts else []


def _stack(module: Any, count: int) -> list[torch.nn.Module]:
    """The outermost list of ``count`` modules, those of our own parts aside."""
    for name, inner in module.named_modules():
        if isinstance(inner, torch.nn.ModuleList) and len(inner) == count and ADDED_MODULES not in name:
            return list(inner)
    return []


def output_layer(model: Any) -> Any:
    """The layer from states to a vocabulary, of a language model; None where there is none."""
    return model.get_output_embeddings()


def head_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Parameters outside the pretrained body, modules of strategy and task included.

    A layer whose weights are the table of token embeddings is no head of its own: those belong to the body.
    """
    body = _ids(_body(model))
    return [parameter for parameter in model.parameters() if id(parameter) not in body]


def _body(model: Any) -> Iterable[torch.nn.Parameter]:
    if model.base_model is not model:
        yield from model.base_model.parameters()
    elif has_encoder_and_decoder(model.config):  # T5 has its head beside encoder and decoder
        for module in (model.get_encoder(), model.get_decoder(), model.get_input_embeddings()):
            yield from module.parameters()
    else:
        yield from (
            parameter for name, parameter in model.named_parameters() if not name.startswith(f"{ADDED_MODULES}.")
        )


def embedding_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Embeddings of the body: every table outside its layers, and what is called after them (norms, projections)."""
    inside = _ids(p for layer in (*layers(model), *decoder_layers(model)) for p in layer.parameters())
    body = _ids(_body(model))
    tables = _ids(table.weight for table in model.modules() if isinstance(table, torch.nn.Embedding))
    return [
        parameter
        for name, parameter in model.named_parameters()
        if id(parameter) in body - inside and ("embed" in name or id(parameter) in tables)
    ]


def _ids(parameters: Iterable[torch.Tensor]) -> set[int]:
    return {id(parameter) for parameter in parameters}


# What was installed in a model, as its saved config says it.


def installed(config: Any, family: str) -> dict[str, Any]:
    """What a part of ``family`` wrote into ``config`` when it was installed; empty where none has."""
    note: dict[str, Any] = getattr(config, NOTE, {}).get(family, {})
    return note


def note_installed(config: Any, family: str, note: Mapping[str, Any]) -> None:
    """Make ``config``, and every checkpoint that is saved with it, say what a part of ``family`` has installed."""
    setattr(config, NOTE, {**getattr(config, NOTE, {}), family: dict(note)})
