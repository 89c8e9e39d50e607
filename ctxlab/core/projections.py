"""Queries about the projections inside a model's layers; beside ``architecture`` all that knows Transformers' names.

A *projection* is a ``torch.nn.Linear``, or the library's ``Conv1D``, which has its weight transposed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from ctxlab.core.architecture import decoder_layers, layers
from ctxlab.core.errors import UserError

ATTENTION = (
    (("query", "key", "value"), ""),
    (("q_lin", "k_lin", "v_lin"), "out_lin"),
    (("q_proj", "k_proj", "v_proj"), "o_proj"),
    (("c_attn",), "c_proj"),
    (("Wqkv",), "Wo"),
)
"""Names of the projections to queries, keys and values (or one to all three), and of that from the heads' outputs.

BERT has the last one beside the module with the others, in ``SIBLING``."""

SIBLING = "output.dense"

HEAD_SIZES = ("attention_head_size", "head_dim")
"""Fields of an attention module with the width of a head."""

FEED_FORWARD = (
    (("intermediate.dense",), "output.dense", 1),
    (("lin1",), "lin2", 1),
    (("gate_proj", "up_proj"), "down_proj", 1),
    (("c_fc",), "c_proj", 1),
    (("Wi",), "Wo", 2),
    (("wi",), "wo", 1),
    (("wi_0", "wi_1"), "wo", 1),
    (("fc1",), "fc2", 1),
)
"""Names of the projections to the hidden units and back, and how many outputs of the first one make a unit."""

WIDTHS = ("intermediate_size", "n_inner", "d_ff", "hidden_dim", "encoder_ffn_dim", "decoder_ffn_dim")
"""Fields of a config with the number of hidden units of a feed-forward block."""


@dataclass(frozen=True, slots=True, eq=False)
class AttentionBlock:
    """The projections of a layer's self-attention."""

    module: Any
    """Holds the first ones."""
    inputs: Sequence[torch.nn.Module]
    """To queries, keys and values; or one module to all three, one after the other."""
    output: torch.nn.Module
    """From the outputs of all heads, side by side."""
    head_size: int
    num_units: int
    """Heads, or groups of heads with the same keys and values, which cannot be separated."""
    heads_per_unit: int


@dataclass(frozen=True, slots=True, eq=False)
class FeedForward:
    """The projections of a feed-forward block."""

    inputs: Sequence[torch.nn.Module]
    output: torch.nn.Module
    parts: int
    """Outputs of each of ``inputs`` that make a hidden unit: 2 where one module has gates and values side by side."""

    @property
    def width(self) -> int:
        """Return the number of hidden units."""
        return num_inputs(self.output)


def is_projection(module: Any) -> bool:
    """Return whether ``module`` is a projection."""
    return isinstance(module, torch.nn.Linear | Conv1D)


def num_outputs(projection: Any) -> int:
    """Return the width of a projection's output."""
    return int(projection.weight.shape[0 if isinstance(projection, torch.nn.Linear) else 1])


def num_inputs(projection: Any) -> int:
    """Return the width of a projection's input."""
    return int(projection.weight.shape[1 if isinstance(projection, torch.nn.Linear) else 0])


def attention_blocks(model: Any) -> list[AttentionBlock]:
    """Return the self-attention of each layer of ``model``, or of its encoder.

    Raises:
        UserError: It is built in a way that is not known; names the model.
    """
    blocks = [_attention(layer) for layer in layers(model)]
    found = [block for block in blocks if block is not None]
    if not found or len(found) < len(blocks):
        raise UserError(
            f"{type(model).__name__} has attention layers whose projections are not found: use a model such as BERT, "
            "RoBERTa, DistilBERT, ModernBERT, GPT-2 or Llama."
        )
    return found


def _attention(layer: torch.nn.Module) -> AttentionBlock | None:
    for place, module in layer.named_modules():
        for names, last in ATTENTION:
            inputs = [getattr(module, name, None) for name in names]
            output = getattr(module, last, None) if last else _sibling(layer, place)
            size = next((getattr(module, name) for name in HEAD_SIZES if hasattr(module, name)), None)
            if size is not None and is_projection(output) and all(map(is_projection, inputs)):
                block = _block(module, inputs, output, int(size))
                return block if _is_complete(block) else None
    return None


def _block(module: Any, inputs: Sequence[Any], output: Any, size: int) -> AttentionBlock:
    heads = num_inputs(output) // size
    units = num_outputs(inputs[1]) // size if len(inputs) > 1 else heads
    return AttentionBlock(module, inputs, output, head_size=size, num_units=units, heads_per_unit=heads // units)


def _is_complete(block: AttentionBlock) -> bool:
    """Return whether no other weight of the module depends on the number of heads: only those of a single head."""
    known = {id(weight) for one in (*block.inputs, block.output) for weight in one.parameters()}
    others = [weight for weight in block.module.parameters() if id(weight) not in known]
    return all(weight.shape[-1] == block.head_size and weight.ndim == 1 for weight in others)


def _sibling(layer: torch.nn.Module, place: str) -> Any:
    try:
        return layer.get_submodule(".".join(filter(None, (place.rpartition(".")[0], SIBLING))))
    except AttributeError:
        return None


def feed_forwards(model: Any) -> list[FeedForward]:
    """Return the feed-forward block of each layer of ``model``, those of a decoder after those of its encoder.

    Raises:
        UserError: A layer has none that is known, or several (a mixture of experts); names the model.
    """
    blocks = [list(_feed_forward(layer)) for layer in (*layers(model), *decoder_layers(model))]
    if not blocks or any(len(found) != 1 for found in blocks):
        raise UserError(
            f"{type(model).__name__} has layers without exactly one feed-forward block that is known: use a model such "
            "as BERT, RoBERTa, DistilBERT, ModernBERT, GPT-2, Llama, T5 or BART."
        )
    return [found[0] for found in blocks]


def _feed_forward(layer: torch.nn.Module) -> Iterator[FeedForward]:
    for module in layer.modules():
        for names, last, parts in FEED_FORWARD:
            inputs, output = [_get(module, name) for name in names], _get(module, last)
            if is_projection(output) and all(map(is_projection, inputs)):
                yield FeedForward(inputs, output, parts)


def _get(module: torch.nn.Module, name: str) -> Any:
    try:
        return module.get_submodule(name)
    except AttributeError:
        return None


def set_width(config: Any, units: int) -> None:
    """Write the number of hidden units of every feed-forward block into ``config``."""
    for name in WIDTHS:
        if hasattr(config, name):
            setattr(config, name, units)
