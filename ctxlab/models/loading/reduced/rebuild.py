"""Building a compressed model from its config and weights, which the library alone cannot.

What the config of an architecture can say (fewer layers, hidden units or tokens) is said there, and the library loads
it. The rest is noted in the config by the family ``compression``: ``heads`` has the number of attention units of each
layer, ``shared`` the layer whose weights each layer has, ``int8`` that projections have 8 bits.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ctxlab.core.architecture import installed
from ctxlab.models.loading.reduced.int8 import quantize
from ctxlab.models.loading.reduced.resized import keep_heads
from ctxlab.models.loading.reduced.shared import left_out, tie

FAMILY = "compression"
"""Name of the note in a model's config."""

HEADS, SHARED, INT8 = "heads", "shared", "int8"

REBUILT = {HEADS: "heads removed", SHARED: "layers with shared weights", INT8: "weights of 8 bits"}
"""Fields of the note that the library's own loader does not know → what they say."""


def is_rebuilt(config: Any) -> bool:
    """Return whether a model of ``config`` can only be loaded by ``load_reduced``."""
    return any(name in installed(config, FAMILY) for name in REBUILT)


def how_rebuilt(config: Any) -> str:
    """Return what keeps the library from loading a model of ``config``, in words; empty for nothing."""
    note = installed(config, FAMILY)
    return ", ".join(words for name, words in REBUILT.items() if name in note)


def shrink(model: Any) -> None:
    """Give a newly built model the shapes that its config notes; their values are loaded afterwards."""
    note = installed(model.config, FAMILY)
    if HEADS in note:
        keep_heads(model, [range(units) for units in note[HEADS]])
    if note.get(INT8):
        quantize(model, empty=True)
    if SHARED in note:
        tie(model, note[SHARED])


def names_left_out(model: Any) -> set[str]:
    """Return the names of the weights of ``model`` that its file leaves out."""
    shared = installed(model.config, FAMILY).get(SHARED)
    return set() if shared is None else left_out(model, shared)


def load_reduced(folder: Path, config: Any, build: Any) -> tuple[Any, dict[str, Any]]:
    """Build a compressed model and load its weights.

    Args:
        folder: Has ``model.safetensors``.
        config: The saved config.
        build: The library's class for the head.

    Returns:
        The model, and a report in the form of the library's: ``missing_keys``, and ``mismatched_keys`` with shapes.
    """
    model = build.from_config(config, dtype=torch.float32)
    shrink(model)
    own, absent = model.state_dict(), names_left_out(model)
    saved = _named_as(own, load_file(folder / "model.safetensors"), f"{model.base_model_prefix}.")
    fitting = {name: one for name, one in saved.items() if name in own and own[name].shape == one.shape}
    mismatched = {
        (name, one.shape, own[name].shape) for name, one in saved.items() if name in own.keys() - fitting.keys()
    }
    model.load_state_dict(fitting, strict=False)
    model.tie_weights()
    missing = own.keys() - saved.keys() - absent - _tied(model, fitting)
    return model, {"missing_keys": missing, "mismatched_keys": mismatched}


def _named_as(
    own: Mapping[str, torch.Tensor], saved: Mapping[str, torch.Tensor], prefix: str
) -> dict[str, torch.Tensor]:
    """Return the weights under the names of a model that has a head, where the file's has none, or the reverse."""
    named = {}
    for name, tensor in saved.items():
        others = (name, name.removeprefix(prefix), prefix + name)
        named[next((one for one in others if one in own), name)] = tensor
    return named


def _tied(model: Any, loaded: Mapping[str, torch.Tensor]) -> set[str]:
    """Return the names of weights that were loaded by another name, such as an output layer tied to embeddings."""
    every = model.state_dict(keep_vars=True)
    there = {id(every[name]) for name in loaded}
    return {name for name, tensor in every.items() if id(tensor) in there}
