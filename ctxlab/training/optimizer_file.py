"""Optimizer state as safetensors: tensors in the file, everything else as JSON in its metadata."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

_REST = "rest"


def save_optimizer(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Write the state of ``optimizer``, bit-exact."""
    state = optimizer.state_dict()
    tensors, scalars = {}, {}
    for index, entry in state["state"].items():
        for key, value in entry.items():
            name = f"{index}.{key}"
            if isinstance(value, torch.Tensor):
                tensors[name] = value.contiguous()
            else:
                scalars[name] = value
    groups = [{key: value for key, value in group.items() if key != "params"} for group in state["param_groups"]]
    rest = {"scalars": scalars, "groups": groups}
    save_file(tensors, path, metadata={_REST: json.dumps(rest)})  # one key: the order of several is not stable


def load_optimizer(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Load a saved state into ``optimizer``, built over the same parameters."""
    state: dict[int, dict[str, Any]] = {}
    with safe_open(path, framework="pt") as file:
        rest = json.loads(file.metadata()[_REST])
        for name in file.keys():  # noqa: SIM118 - safe_open is not a mapping
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = file.get_tensor(name)
    for name, value in rest["scalars"].items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    for group, saved in zip(groups, rest["groups"], strict=True):
        group.update(saved)
    optimizer.load_state_dict({"state": state, "param_groups": groups})
