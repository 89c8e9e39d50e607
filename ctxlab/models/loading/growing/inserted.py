"""Inserts layers that begin as the identity.

A layer adds what attention and feed-forward block compute to its input. Where both last projections are zero it adds
nothing, and where normalisation comes before attention and block (pre-norm: Llama, GPT-2, T5) that is all.

Where a LayerNorm follows each sum (post-norm: BERT), such a layer computes LN₂(LN₁(x)). Its input is the output of the
LayerNorm before it, x = γ · z + β with normalised z; normalising x again would not give x, whatever the parameters,
since γ and β change mean and variance by token. But z is its own normalisation. So the new layer takes γ and β over as
those of LN₂, LN₁ has 1 and 0, and the LayerNorm before it gets 1 and 0, too: LN₂(LN₁(z)) = γ · z + β = x, exact but
for ``eps``. What the layer before hands on changes to z; nothing but the new layer reads it.
"""

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch

from ctxlab.core.architecture import insert_layers, layers
from ctxlab.core.errors import UserError
from ctxlab.core.projections import is_projection

TO_HIDDEN = ("output.dense", "out_lin", "lin2", "o_proj", "down_proj", "c_proj", "Wo", "o", "wo", "out_proj", "fc2")
"""Names of the projections of a layer whose outputs are added to the hidden states."""

NORMS = (
    ("attention.output.LayerNorm", "output.LayerNorm"),
    ("sa_layer_norm", "output_layer_norm"),
    ("self_attn_layer_norm", "final_layer_norm"),
)
"""Names of the LayerNorms after attention and after the feed-forward block, where they follow the sums."""


@torch.no_grad()
def insert(model: Any, places: Sequence[int], is_unchanged: Callable[[], bool]) -> None:
    """Insert a layer after each of ``places``, which count the present layers, in order.

    Args:
        model: Changed in place, its config included.
        places: From 1; equal ones follow one another.
        is_unchanged: Whether the model still has the outputs that it had.

    Raises:
        UserError: The layers of the model are not found, or none of the constructions keeps the outputs.
    """
    stack, name = layers(model), type(model).__name__
    if not stack:
        raise UserError(
            f"model.growth.layers: {name} has no list of layers of its own (layers share their weights): use "
            "model.growth.layers=0, or a model such as BERT, RoBERTa, DistilBERT, GPT-2, Llama or T5."
        )
    # The next layer is copied: the first one may hold what no other has (relative positions, a missing norm).
    sources = [min(place, len(stack) - 1) for place in places]
    shared = [module.config for module in model.modules() if hasattr(module, "config")]
    added = [copy.deepcopy(stack[source], {id(one): one for one in shared}) for source in sources]
    if not all(_silence(layer) for layer in added):
        raise UserError(f"model.growth.layers: the projections of a layer of {name} are not found: use BERT or Llama.")
    insert_layers(model, places, sources, added)
    if is_unchanged():
        return
    grown = layers(model)
    new = {id(layer) for layer in added}
    followed = [(one, other) for one, other in pairwise(grown) if id(other) in new]
    if not all(_hand_over(one, other) for one, other in followed) or not is_unchanged():
        raise UserError(
            f"model.growth.layers: no layer of {name} (model type `{model.config.model_type}`) is known that changes "
            "nothing at first: use model.growth.layers=0, or a model such as BERT, GPT-2, Llama or T5."
        )


def _silence(layer: torch.nn.Module) -> bool:
    """Set the projections to the hidden states to zero; returns whether there are those of attention and block."""
    found = [
        module
        for name, module in layer.named_modules()
        if is_projection(module) and any(f".{name}".endswith(f".{last}") for last in TO_HIDDEN)
    ]
    for module in found:
        for parameter in module.parameters():
            parameter.zero_()
    return len(found) >= 2


def _hand_over(before: torch.nn.Module, layer: torch.nn.Module) -> bool:
    """Move the scale and shift of the LayerNorm ``before`` to the last one of ``layer``; returns whether they exist."""
    for first, last in NORMS:
        try:
            norms = [before.get_submodule(last), layer.get_submodule(first), layer.get_submodule(last)]
        except AttributeError:
            continue
        if all(isinstance(norm, torch.nn.LayerNorm) and norm.bias is not None for norm in norms):
            given, own, own_last = norms
            for name, neutral in (("weight", 1.0), ("bias", 0.0)):
                getattr(own_last, name).copy_(getattr(given, name))
                getattr(own, name).fill_(neutral)
                getattr(given, name).fill_(neutral)
            return True
    return False
