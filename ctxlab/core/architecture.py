"""Queries about a model's architecture; with ``projections`` all that depends on how Transformers names things.

Sizes come from the config, everything else from the modules. The *reading* part of an encoder-decoder is its encoder.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.model import ADDED_MODULES, GROWTH, ModelFacts

TABLES = ("position_embeddings", "position_embedding", "wpe", "embed_positions")
"""Names of modules that are learned position tables."""

RELATIVE = ("relative_attention_num_buckets", "position_buckets", "max_relative_positions")
"""Fields of a config that has relative positions."""

DECODER_LAYERS = ("num_decoder_layers", "decoder_layers")
"""Fields of a config with the number of decoder layers of an encoder-decoder."""

INCOMPATIBLE = (
    ValueError, ImportError, KeyError, NotImplementedError, TypeError, AttributeError, RuntimeError, IndexError
)  # fmt: skip
"""Errors of a model that cannot run with an attention or a memory of ours."""

SAMPLE_TOKENS = 8

NOTE = "ctxlab"
"""Field of a saved config that records what was installed in the model, by family of parts."""


def describe(model: Any, trained: Any = None) -> ModelFacts:
    """Collect facts about ``model``; positions that a strategy has extended count as trained.

    Args:
        model: As it was built.
        trained: Its config before any change for this run; None where nothing was changed.
    """
    config = text_config(model.config if trained is None else trained)
    positions, length = _positions(model, config)
    return ModelFacts(
        kind=_kind(model),
        positions=positions,
        trained_length=length,
        num_layers=num_layers(model),
        hidden_size=int(config.hidden_size),
        rope_scaling=published_scaling(config) if positions == "rotary" else "",
        grown=bool(installed(model.config, GROWTH)),
    )


def has_dropout(model: Any) -> bool:
    """Whether two passes in training mode differ: some rate of dropout is above 0."""
    modules = list(model.modules())
    rates: list[Any] = [module.p for module in modules if isinstance(module, torch.nn.Dropout)]
    rates += [getattr(module, "attention_dropout", None) for module in modules]
    return any(isinstance(rate, float) and rate > 0 for rate in rates)


def _kind(model: Any) -> str:
    if has_encoder_and_decoder(model.config):
        return "encoder_decoder"
    return "decoder" if is_causal(model) else "encoder"


def _positions(model: Any, config: Any) -> tuple[str, int | None]:
    """Return the kind of positions and the number of tokens that they were trained for."""
    learned = learned_tables(model)
    if learned:
        return "learned", learned[0].length
    if getattr(config, "rope_parameters", None):
        return "rotary", position_limit(config)
    if any(getattr(config, name, None) for name in RELATIVE):
        return "relative", None
    return "none", None


def published_scaling(config: Any) -> str:
    """Return the kind of scaling that rotary positions were published with; empty for none.

    Positions that are scaled already cannot be scaled again by a positions part.
    """
    if installed(config, "positions"):
        return ""  # our own scaling restarts from the parameters that the model was trained with
    return next((kind for kind in rotary_types(config) if kind != "default"), "")


def rotary_types(config: Any) -> list[str]:
    """Return the type of scaling of rotary positions for each type of layer; ``default`` where there is none."""
    return [one.get("rope_type", "default") for one in _rotary(text_config(config))]


def _rotary(config: Any) -> list[Mapping[str, Any]]:
    """Return the rotary parameters of each type of layer."""
    given = getattr(config, "rope_parameters", None) or {}
    nested = [one for one in given.values() if isinstance(one, Mapping)]
    return nested or [given]


def has_encoder_and_decoder(config: Any) -> bool:
    """Return whether models of this ``config`` have a separate encoder and decoder."""
    return bool(getattr(config, "is_encoder_decoder", False))


def is_causal(model: Any) -> bool:
    """Return whether input tokens of ``model`` see only earlier ones, according to the library's attention layers."""
    if has_encoder_and_decoder(model.config):
        return False  # the decoder is causal, the encoder that reads is not
    causal = any(getattr(module, "is_causal", False) is True for module in model.modules())
    return causal and bool(getattr(model.config, "is_causal", True))


def text_config(config: Any) -> Any:
    """Return the part of ``config`` that describes the reading of text; ``config`` itself where that is all."""
    return config.get_text_config()


# Sizes, of a model or of its encoder.


def num_layers(model: Any) -> int:
    """Return the number of Transformer layers (of the encoder, in an encoder-decoder)."""
    return int(text_config(model.config).num_hidden_layers)


def hidden_size(model: Any) -> int:
    """Return the width of the hidden states."""
    return int(text_config(model.config).hidden_size)


def num_heads(model: Any) -> int | None:
    """Return the number of query heads of a layer; None where layers differ."""
    heads = getattr(text_config(model.config), "num_attention_heads", None)
    return heads if isinstance(heads, int) else None


def vocabulary_size(model: Any) -> int:
    """Return the number of rows of the token embedding table."""
    return int(text_config(model.config).vocab_size)


def padding_id(model: Any) -> int | None:
    """Return the id of the padding token; None where the config names none."""
    found: int | None = text_config(model.config).pad_token_id
    return found


def sliding_layers(model: Any) -> list[bool]:
    """Return for each layer whether the model itself limits it to a sliding window, whatever a strategy installs."""
    config = text_config(model.config)
    kinds = getattr(config, "layer_types", None)
    if kinds:
        return [kind != "full_attention" for kind in kinds]
    return [getattr(config, "sliding_window", None) is not None] * num_layers(model)


def position_limit(config: Any) -> int | None:
    """Return how many tokens the positions of ``config`` cover unchanged; None where it has no limit.

    Most configs that were published with YaRN scaling keep the length before scaling in ``max_position_embeddings``.
    """
    text = text_config(config)
    limit = getattr(text, "max_position_embeddings", None)
    scaled = [
        int(one["factor"] * one["original_max_position_embeddings"])
        for one in _rotary(text)
        if one.get("rope_type") == "yarn" and one.get("factor") and one.get("original_max_position_embeddings")
    ]
    return None if limit is None else max(int(limit), *scaled, 0)


def pooled_places(model: Any, length: int) -> list[int]:
    """Return the tokens of a window of ``length`` whose states a head with one output per window reads.

    A decoder's head reads the last token, that of an encoder the first one, or the mean of all of them (ModernBERT).
    """
    if is_causal(model):
        return [length - 1]
    return list(range(length)) if getattr(model.config, "classifier_pooling", "cls") == "mean" else [0]


# Modules of a model.


@dataclass(frozen=True, slots=True, eq=False)
class LearnedTable:
    """A learned table of absolute positions, found in a model."""

    module: torch.nn.Embedding
    offset: int
    """Leading rows that represent no position (RoBERTa's positions start after its padding index)."""

    @property
    def length(self) -> int:
        """Return the number of tokens that a window may have."""
        return self.module.num_embeddings - self.offset


def learned_tables(model: Any) -> list[LearnedTable]:
    """Return the learned position tables of ``model`` (an encoder and a decoder may have one each), or none."""
    tables = []
    for name, module in model.named_modules():
        if name.rsplit(".", 1)[-1] in TABLES and isinstance(module, torch.nn.Embedding):
            after_padding = 0 if module.padding_idx is None else module.padding_idx + 1
            tables.append(LearnedTable(module, int(getattr(module, "offset", after_padding))))
    return tables


def first_position(model: Any) -> int:
    """Return the id that the model's ``position_ids`` begin with: after the padding index, as in RoBERTa, else 0."""
    tables = learned_tables(model)
    padding = tables[0].module.padding_idx if tables else None
    return 0 if padding is None else padding + 1


def reading_stack(model: Any) -> Any:
    """Return the encoder of an encoder-decoder, else ``model`` itself."""
    return model.get_encoder() if has_encoder_and_decoder(model.config) else model


def last_layer_stack(model: Any) -> Any:
    """Return the module whose output is the last hidden states of the input, before any pooling."""
    if has_encoder_and_decoder(model.config):
        return model.get_encoder()
    body = model.base_model
    return body.encoder if getattr(body, "pooler", None) is not None and hasattr(body, "encoder") else body


def layers(model: Any) -> list[torch.nn.Module]:
    """Return the Transformer layers (of the encoder), first to last; none where no list has their number."""
    return _stack(reading_stack(model), num_layers(model))


def decoder_layers(model: Any) -> list[torch.nn.Module]:
    """Return the layers of the decoder of an encoder-decoder, first to last; none for other models."""
    if not has_encoder_and_decoder(model.config):
        return []
    counts = [getattr(model.config, name) for name in DECODER_LAYERS if hasattr(model.config, name)]
    return _stack(model.get_decoder(), counts[0]) if counts else []


@contextmanager
def first_layers(model: Any, count: int) -> Iterator[int]:
    """Leave only the first ``count`` layers of ``model``, and of its decoder, until the end of the block.

    Yields the number of layers that it has; 1 where they are not found, and nothing changes.
    """
    found = [layers(model), decoder_layers(model)]
    lists = [_list(model, stack) for stack in found if stack]
    rest = [list(one)[count:] for one in lists]
    try:
        for one in lists:
            del one[count:]
        yield max(len(found[0]), 1)
    finally:
        for one, removed in zip(lists, rest, strict=True):
            one.extend(removed)


def keep_layers(model: Any, kept: Sequence[int]) -> None:
    """Leave only the layers ``kept`` of ``model``, or of its encoder, for good, and write that into its config."""
    config, stack = text_config(model.config), layers(model)
    modules = _list(model, stack)
    del modules[:]
    modules.extend(stack[place] for place in kept)
    config.num_hidden_layers = len(kept)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[place] for place in kept]


def insert_layers(model: Any, places: Sequence[int], sources: Sequence[int], added: Sequence[torch.nn.Module]) -> None:
    """Insert layers into ``model``, or into its encoder, for good, and write that into its config.

    Args:
        model: The model.
        places: For each new layer after how many of the present ones it comes, in order.
        sources: The present layer whose type each one has.
        added: The new layers.
    """
    stack, count = layers(model), num_layers(model)
    order = [(place, number) for number, place in enumerate(range(1, count + 1))]
    order += [(place, count + number) for number, place in enumerate(places)]
    order = sorted(order)  # present layers have lower numbers, so that a new one follows them
    every, modules = [*stack, *added], _list(model, stack)
    del modules[:]
    modules.extend(every[number] for _, number in order)
    kinds = [*range(count), *sources]
    for config in {id(one): text_config(one) for one in (model.config, reading_stack(model).config)}.values():
        config.num_hidden_layers = len(every)
        types = getattr(config, "layer_types", None)
        if types and len(types) == count:
            config.layer_types = [types[kinds[number]] for _, number in order]
    for place, layer in enumerate(layers(model)):
        for module in layer.modules():  # a KV cache finds a layer's keys by it
            if isinstance(getattr(module, "layer_idx", None), int):
                module.layer_idx = place  # type: ignore[assignment]


def _list(model: Any, stack: list[torch.nn.Module]) -> torch.nn.ModuleList:
    """Return the list of modules that holds the layers of ``stack``."""
    return next(one for one in model.modules() if isinstance(one, torch.nn.ModuleList) and list(one) == stack)


def _stack(module: Any, count: int) -> list[torch.nn.Module]:
    """Return the outermost list of ``count`` modules, ignoring modules of our own parts."""
    for name, inner in module.named_modules():
        if isinstance(inner, torch.nn.ModuleList) and len(inner) == count and ADDED_MODULES not in name:
            return list(inner)
    return []


def sample_inputs(model: Any) -> dict[str, torch.Tensor]:
    """Return inputs of a few tokens for a model."""
    config = model.config
    tokens = torch.arange(SAMPLE_TOKENS, device=model.device)[None] % vocabulary_size(model)
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if "decoder_input_ids" in inspect.signature(model.forward).parameters:
        if isinstance(config.eos_token_id, int) and not bool((tokens == config.eos_token_id).any()):
            tokens[0, -1] = config.eos_token_id  # some heads use the token at the end of the text
        inputs["decoder_input_ids"] = tokens
    return inputs


def recompute_activations(model: Any, *, reentrant: bool = False) -> None:
    """Let the backward pass compute the layers' activations again, instead of keeping them from the forward pass."""
    # The second name is that of earlier versions of the library.
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": reentrant})


def token_tables(model: Any) -> list[torch.nn.Module]:
    """Return the modules that look input tokens up: that of the model, those of its stacks, and all that share a table.

    Encoder and decoder of an encoder-decoder have one each, and the model a third that is never called.
    """
    stacks = [model.get_encoder(), model.get_decoder()] if has_encoder_and_decoder(model.config) else []
    named = [one.get_input_embeddings() for one in (model, *stacks)]
    weights = _ids(one.weight for one in named if isinstance(one, torch.nn.Embedding))
    shared = [one for one in model.modules() if isinstance(one, torch.nn.Embedding) and id(one.weight) in weights]
    return list(dict.fromkeys([*named, *shared]))


def output_layer(model: Any) -> Any:
    """Return the layer of a language model from hidden states to the vocabulary; None where there is none."""
    return model.get_output_embeddings()


def head_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Return the parameters outside the pretrained body, including the modules of strategy and task.

    An output layer that is tied to the token embeddings belongs to the body.
    """
    body = _ids(body_parameters(model))
    return [parameter for parameter in model.parameters() if id(parameter) not in body]


def body_parameters(model: Any) -> Iterable[torch.nn.Parameter]:
    """Yield the parameters of the pretrained body, to which an output layer that is tied to its embeddings belongs."""
    if model.base_model is not model:
        yield from model.base_model.parameters()
    elif has_encoder_and_decoder(model.config):  # T5's head is a sibling of its encoder and decoder
        for module in (model.get_encoder(), model.get_decoder(), model.get_input_embeddings()):
            yield from module.parameters()
    else:
        yield from (
            parameter for name, parameter in model.named_parameters() if not name.startswith(f"{ADDED_MODULES}.")
        )


def embedding_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Return the body's embeddings: tables outside its layers, and modules named after them (norms, projections)."""
    inside = _ids(p for layer in (*layers(model), *decoder_layers(model)) for p in layer.parameters())
    body = _ids(body_parameters(model))
    tables = _ids(table.weight for table in model.modules() if isinstance(table, torch.nn.Embedding))
    return [
        parameter
        for name, parameter in model.named_parameters()
        if id(parameter) in body - inside and ("embed" in name or id(parameter) in tables)
    ]


def _ids(parameters: Iterable[torch.Tensor]) -> set[int]:
    return {id(parameter) for parameter in parameters}


# What was installed in a model, as recorded in its config.


def installed(config: Any, family: str) -> dict[str, Any]:
    """Return what a part of ``family`` recorded in ``config`` when it was installed; empty where none did."""
    note: dict[str, Any] = getattr(config, NOTE, {}).get(family, {})
    return note


def note_installed(config: Any, family: str, note: Mapping[str, Any]) -> None:
    """Record in ``config``, and so in every checkpoint saved with it, what a part of ``family`` installed."""
    setattr(config, NOTE, {**getattr(config, NOTE, {}), family: dict(note)})
