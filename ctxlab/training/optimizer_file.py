"""Optimizer state as safetensors: tensors in the file, everything else as JSON in its metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ctxlab.runtime.sharded import own_part

_REST = "rest"


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """The state of an optimizer as it is saved."""

    tensors: Mapping[str, torch.Tensor]
    """By number of the parameter and name of the state, such as ``0.exp_avg``."""
    rest: Mapping[str, Any]
    """Everything else, as JSON."""


def state_of(optimizer: torch.optim.Optimizer) -> OptimizerState:
    """Return the state of ``optimizer``: its own tensors, not copies."""
    state = optimizer.state_dict()
    tensors, scalars = {}, {}
    for index, entry in state["state"].items():
        for key, value in entry.items():
            name = f"{index}.{key}"
            if isinstance(value, torch.Tensor):
                tensors[name] = value
            else:
                scalars[name] = value
    groups = [{key: value for key, value in group.items() if key != "params"} for group in state["param_groups"]]
    return OptimizerState(tensors, {"scalars": scalars, "groups": groups})


def write_state(state: OptimizerState, path: Path) -> None:
    """Write ``state``, bit-exact."""
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    save_file(tensors, path, metadata={_REST: json.dumps(state.rest)})  # one key: the order of several is not stable


def save_optimizer(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Write the state of ``optimizer``, bit-exact."""
    write_state(state_of(optimizer), path)


def load_optimizer(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Load a saved state into ``optimizer``, built over the same parameters, and dealt as they are."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    with safe_open(path, framework="pt") as file:
        rest = json.loads(file.metadata()[_REST])
        for name in file.keys():  # noqa: SIM118 - safe_open is not a mapping
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = own_part(file.get_tensor(name), parameters[int(index)])
    for name, value in rest["scalars"].items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    for group, saved in zip(groups, rest["groups"], strict=True):
        group.update(saved)
    optimizer.load_state_dict({"state": state, "param_groups": groups})
