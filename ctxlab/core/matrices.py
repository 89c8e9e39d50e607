"""Queries about a model's matrices and vectors; with ``core.architecture`` all that depends on the library's names."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.architecture import body_parameters, decoder_layers, layers, learned_tables
from ctxlab.core.model import ADDED_MODULES


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A layer ``y = x Wᵀ + b`` of a model; GPT-2's stores W transposed."""

    name: str
    """Of its module in the model."""
    module: Any

    @property
    def weight(self) -> torch.Tensor:
        """Return W (outputs, inputs), a view of the module's weight."""
        return oriented(self.module, self.module.weight.detach())

    @property
    def out_features(self) -> int:
        """Return the width of its outputs."""
        return int(self.weight.shape[0])

    @property
    def in_features(self) -> int:
        """Return the width of its inputs."""
        return int(self.weight.shape[1])

    @property
    def kind(self) -> str:
        """Return the last parts of its name, which it shares with the matrices of other layers."""
        parts = self.name.split(".")
        last = max((i for i, part in enumerate(parts) if part.isdigit()), default=-1)
        return ".".join(parts[last + 1 :])


def oriented(module: torch.nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """Return a weight of ``module`` as (outputs, inputs), or one of that shape as the module stores it."""
    return weight.T if type(module).__name__ == CONV1D else weight


CONV1D = "Conv1D"
"""Class of matrices that are stored transposed, in GPT-2 and its relatives."""


def matrices(model: Any) -> list[Matrix]:
    """Return the matrices of ``model``, modules of our own parts excepted, in the order of its modules."""
    return [
        Matrix(name, module)
        for name, module in model.named_modules()
        if (isinstance(module, torch.nn.Linear) or type(module).__name__ == CONV1D)
        and not name.startswith(f"{ADDED_MODULES}.")
    ]


def body_matrices(model: Any) -> list[Matrix]:
    """Return the matrices of the pretrained body, but not those whose weight another module has too (tied)."""
    body = _ids(body_parameters(model))
    return [one for one in matrices(model) if id(one.module.weight) in body and not is_tied(model, one.module.weight)]


KEYS_AND_VALUES = frozenset({
    "key", "value", "k_proj", "v_proj", "k", "v", "k_lin", "v_lin", "kv_proj",
    "c_attn", "Wqkv", "qkv_proj", "query_key_value",
})  # fmt: skip
"""Names of the matrices of keys and values, or of queries, keys and values together."""


def key_value_matrices(model: Any) -> list[Matrix]:
    """Return the matrices of the body that compute keys and values."""
    return [one for one in body_matrices(model) if one.name.rsplit(".", 1)[-1] in KEYS_AND_VALUES]


def feed_forward_matrices(model: Any) -> list[Matrix]:
    """Return the last matrix of each Transformer layer: from the inside of its feed-forward part to the hidden size."""
    stack = [*layers(model), *decoder_layers(model)]
    inside = [{id(module) for module in layer.modules()} for layer in stack]
    found = [[one for one in body_matrices(model) if id(one.module) in own] for own in inside]
    return [own[-1] for own in found if own]


def is_tied(model: Any, parameter: torch.Tensor) -> bool:
    """Return whether ``parameter`` is in more than one module of ``model``, such as a table and an output layer."""
    owners = {id(module) for module in model.modules() for own in module.parameters(recurse=False) if own is parameter}
    return len(owners) > 1


def norm_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Return the parameters of the normalisations of the pretrained body."""
    body = _ids(body_parameters(model))
    norms = (module for module in model.modules() if "norm" in type(module).__name__.lower())
    return [parameter for norm in norms for parameter in norm.parameters(recurse=False) if id(parameter) in body]


def bias_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Return the additive vectors of the pretrained body, those of its normalisations included."""
    body = _ids(body_parameters(model))
    return [p for name, p in model.named_parameters() if id(p) in body and name.split(".")[-1] == "bias"]


def position_parameters(model: Any) -> list[torch.nn.Parameter]:
    """Return the learned tables of absolute or relative positions."""
    relative = (module for name, module in model.named_modules() if name.endswith("relative_attention_bias"))
    tables = [*(table.module for table in learned_tables(model)), *relative]
    return [parameter for table in tables for parameter in table.parameters()]


def _ids(parameters: Iterable[torch.Tensor]) -> set[int]:
    return {id(parameter) for parameter in parameters}
