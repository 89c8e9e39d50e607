"""Merging an adapter that peft saved into the weights of a model, without peft.

Shape legend: I inputs and O outputs of a matrix, R rank.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix, matrices, oriented
from ctxlab.models.loading.named_rows import add_note

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

PREFIX = "base_model.model."
"""What peft puts before the name of every tensor."""

READ = ("LORA", "IA3")
"""Kinds of adapters that are read: those that can be merged."""

CHANGED_BASE = ("pissa", "olora", "loftq", "corda")
"""Ways to start that change the weights outside the adapter, which its file then lacks."""

ELSEWHERE = (
    "target_parameters",
    "trainable_token_indices",
    "layer_replication",
    "lora_bias",
    "alora_invocation_tokens",
)
"""Options of LoRA that keep something in tensors or places that are not read here."""


def refuse_beside(path: Path, called: str) -> None:
    """Refuse weights with an adapter in the same folder: the library applies it where peft is installed.

    Args:
        path: Folder of a model.
        called: The user's name for it.

    Raises:
        UserError: The folder has one.
    """
    if not (path / CONFIG).is_file():
        return
    if not any(file for file in path.glob("*.safetensors") if file.name != WEIGHTS):
        base = _config(path).get("base_model_name_or_path") or "<its base model>"
        raise UserError(f"model `{called}` is an adapter without a model: give model.path={base} model.adapter={path}.")
    raise UserError(
        f"model `{called}` has weights and an {CONFIG}, and weights that include the adapter would have it twice: move "
        f"{CONFIG} away if they do, else the adapter's files to another folder, and give model.adapter=<that folder>."
    )


def merge_adapter(model: Any, folder: Path) -> None:
    """Merge the adapter in ``folder`` into the weights of ``model``, and note it for the report.

    Modules that were saved whole with it, such as a head, replace those of the model.

    Args:
        model: Changed in place.
        folder: Has ``adapter_config.json`` and ``adapter_model.safetensors``.

    Raises:
        UserError: The adapter cannot be read, is of a kind that cannot be merged, or does not fit the model.
    """
    config = _config(folder)
    _check(config, folder)
    tensors = _by_module(_tensors(folder), model, folder)
    with torch.no_grad():
        for name, found in tensors.items():
            _change(model, name, found, config=config, folder=folder)
    base = config.get("base_model_name_or_path")
    add_note(model, f"The adapter in {folder} ({config['peft_type']}, made for {base}) was merged into the weights.")


def _config(folder: Path) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return {**read, "peft_type": str(read["peft_type"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"model.adapter={folder} has no readable {CONFIG}; give the folder of an adapter that peft saved."
        ) from error


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"model.adapter={folder} has no readable {WEIGHTS}, the only supported format; save it as safetensors."
        ) from error


def _check(config: Mapping[str, Any], folder: Path) -> None:
    """Refuse what cannot be merged, or not from the file alone."""
    kind = config["peft_type"]
    if kind not in READ:
        raise UserError(
            f"model.adapter={folder} is of type {kind}, which is not read: {' and '.join(READ)} adapters are."
        )
    start = str(config.get("init_lora_weights", True)).lower()
    if start.startswith(CHANGED_BASE):
        raise UserError(
            f"model.adapter={folder} started from {start}, which changed weights outside the adapter: convert it with "
            "peft (path_initial_model_for_weight_conversion), or merge it there."
        )
    used = [name for name in ELSEWHERE if config.get(name)]
    if used:
        raise UserError(f"model.adapter={folder} uses {used[0]}, which is not read: merge it with peft.")


def _by_module(tensors: Mapping[str, torch.Tensor], model: Any, folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return the tensors by the name of their module in ``model`` and what they are in it."""
    names = {name for name, _ in model.named_modules()}
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        module, _, part = key.removeprefix(PREFIX).replace(".base_layer.", ".").rpartition(".")
        if module.endswith((".lora_A", ".lora_B", ".lora_magnitude_vector")) and part == "weight":
            module, _, part = module.rpartition(".")
        fitting = [module] if module in names else [name for name in names if name.endswith(f".{module}")]
        if len(fitting) != 1:
            raise UserError(
                f"model.adapter={folder} changes {module}, which this {type(model).__name__} does not have: give the "
                "model that the adapter was trained for."
            )
        found.setdefault(fitting[0], {})[part] = tensor
    return found


def _change(model: Any, name: str, found: Mapping[str, torch.Tensor], config: Mapping[str, Any], folder: Path) -> None:
    """Change the module ``name`` of ``model`` by the tensors ``found`` for it."""
    module = model.get_submodule(name)
    rest = dict(found)
    adapted = next((one for one in matrices(model) if one.name == name), None)
    for needed, change in KINDS.items():
        if adapted is not None and needed <= rest.keys():
            given = {key: rest.pop(key).float() for key in [*rest] if key in needed or key == "lora_magnitude_vector"}
            try:
                change(adapted, given, config)
            except RuntimeError as error:
                shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in given.items())
                raise UserError(
                    f"model.adapter={folder} does not fit {name}, a matrix of {adapted.out_features} × "
                    f"{adapted.in_features} in this model ({shapes}): give the model that it was trained for."
                ) from error
    for part, tensor in rest.items():
        own = getattr(module, part, None)
        if not isinstance(own, torch.Tensor) or own.shape != tensor.shape:
            has = "does not have it" if own is None else f"has another size of it ({tuple(own.shape)})"
            raise UserError(
                f"model.adapter={folder} has {name}.{part} of size {tuple(tensor.shape)}, and this "
                f"{type(model).__name__} {has}: give the task and model that it was trained for."
            )
        own.copy_(tensor)


def _low_rank(one: Matrix, given: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> None:
    """W + scale · B A, with its rows rescaled where it is DoRA's."""
    a, b = given["lora_A"], given["lora_B"]  # (R, I), (O, R)
    alpha = _pattern(config.get("alpha_pattern"), one.name, config["lora_alpha"])
    scale = alpha / (math.sqrt(len(a)) if config.get("use_rslora") else len(a))
    weight = one.weight + scale * b @ a
    if "lora_magnitude_vector" in given:
        weight = (given["lora_magnitude_vector"] / torch.linalg.norm(weight, dim=1))[:, None] * weight
    one.module.weight.copy_(oriented(one.module, weight))


def _rescaled(one: Matrix, given: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> None:
    """Rows or columns of W times the factors (O, 1) or (1, I); a bias with the rows."""
    del config
    factors = given["ia3_l"]
    one.module.weight.copy_(oriented(one.module, one.weight * factors))
    if factors.shape[1] == 1 and one.module.bias is not None:
        one.module.bias.mul_(factors[:, 0])


KINDS: Mapping[frozenset[str], Callable[[Matrix, Mapping[str, torch.Tensor], Mapping[str, Any]], None]] = {
    frozenset({"lora_A", "lora_B"}): _low_rank,
    frozenset({"ia3_l"}): _rescaled,
}
"""Tensors that a kind of adapter has for a matrix → what it does with it."""


def _pattern(values: Mapping[str, float] | None, name: str, default: float) -> float:
    """Return the value whose key, a regular expression of peft's, fits the end of ``name``."""
    for key, value in (values or {}).items():
        if re.match(rf"(.*\.)?({key})$", name):
            return value
    return default
