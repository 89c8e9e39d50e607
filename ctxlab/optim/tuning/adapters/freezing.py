"""What efficient tuning trains besides adapters: head, modules of the strategy, and more of the body on request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ctxlab.core.architecture import embedding_parameters, head_parameters, installed, learned_tables, output_layer
from ctxlab.core.errors import UserError
from ctxlab.core.matrices import bias_parameters, norm_parameters, position_parameters


def lengthened(model: Any) -> list[torch.nn.Parameter]:
    """Return the position tables that a strategy has lengthened for this run; none where none is."""
    if "trained_length" not in installed(model.config, "positions"):
        return []
    return [parameter for table in learned_tables(model) for parameter in table.module.parameters()]


LENGTHENED = "lengthened"
"""The kind of parameters that a model need not have."""

KINDS: Mapping[str, Callable[[Any], list[torch.nn.Parameter]]] = {
    LENGTHENED: lengthened,
    "norms": norm_parameters,
    "positions": position_parameters,
    "embeddings": embedding_parameters,
    "biases": bias_parameters,
}
"""Values of ``tuning.train``."""


def freeze_body(model: Any, train: Sequence[str], rule: str) -> None:
    """Freeze the pretrained body of ``model``, but for the kinds of parameters in ``train``.

    The head and the modules of strategy and task stay trainable. The table of an output layer over a vocabulary, tied
    or not, is part of the body here.

    Args:
        model: Changed in place.
        train: Names in ``KINDS``.
        rule: Name of the tuning rule, for messages.

    Raises:
        UserError: There is no such kind, or the model has none of it.
    """
    outside = head_parameters(model)
    output = output_layer(model)
    table = None if output is None else output.weight
    model.requires_grad_(False)
    for parameter in outside:
        parameter.requires_grad_(parameter is not table)
    for kind in train:
        if kind not in KINDS:
            raise UserError(f"tuning.train={kind} is not one of {', '.join(KINDS)}.")
        found = KINDS[kind](model)
        if not found and kind != LENGTHENED:
            have = [name for name, find in KINDS.items() if name != LENGTHENED and find(model)]
            raise UserError(
                f"tuning={rule} finds no {kind} to train in this {type(model).__name__}, which has "
                f"{', '.join(have)}: change tuning.train, or use another tuning=."
            )
        for parameter in found:
            parameter.requires_grad_(True)
