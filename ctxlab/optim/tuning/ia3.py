"""(IA)³: keys, values and feed-forward activations are rescaled."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix, feed_forward_matrices, key_value_matrices
from ctxlab.optim.tuning.adapters.adapted import Adapted, Adapter


def rescaled(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return values (…, O) times scale (O,), in their precision: in bf16 alone a factor of 1.003 would be 1."""
    return values + (scale - 1).to(values.dtype) * values


class ScaledOutputs(Adapter):
    """y ← l · y for a matrix of O outputs; l starts at one."""

    changed = ("weight", "bias")

    def __init__(self, matrix: Matrix) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(matrix.out_features))  # (O,)

    def after(self, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        """Return the outputs (…, O), each times its factor."""
        del module, args
        return rescaled(output, self.scale)

    def merged(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Return W and b with rescaled rows."""
        rows = {"weight": weight * self.scale[:, None]}
        return rows if bias is None else {**rows, "bias": bias * self.scale}


class ScaledInputs(Adapter):
    """x ← l · x for a matrix of I inputs; l starts at one."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(matrix.in_features))  # (I,)

    def install(self, module: torch.nn.Module) -> None:
        """Make ``module`` read rescaled inputs."""
        module.register_forward_pre_hook(self.before)

    def before(self, module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the inputs (…, I), each times its factor."""
        del module
        return (rescaled(args[0], self.scale), *args[1:])

    def merged(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Return W with rescaled columns."""
        del bias
        return {"weight": weight * self.scale}


class Ia3(Adapted):
    """Trains a factor for each output of the key and value matrices and each input of the last feed-forward matrix.

    Source: (IA)³ (Liu et al. 2022, arXiv:2205.05638). A matrix that computes queries, keys and values together (GPT-2)
    is rescaled as a whole, as in peft.
    """

    def __init__(self, lr_scale: float, train: Sequence[str]) -> None:
        """Take the factor on the learning rate, and kinds of other parameters to train, see ``freeze_body``."""
        super().__init__("all", train, lr_scale)

    def find(self, model: Any) -> list[Matrix]:
        """Return the matrices of keys and values, and the last of each feed-forward part.

        Raises:
            UserError: The model has no keys and values of a known name.
        """
        attention = key_value_matrices(model)
        if not attention:
            raise UserError(
                f"tuning=ia3 finds no matrices of keys and values in this {type(model).__name__}: use tuning=lora."
            )
        return [*attention, *feed_forward_matrices(model)]

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return factors of inputs for feed-forward matrices, and of outputs for the others."""
        inner = {one.name for one in feed_forward_matrices(model)}
        return {one.name: ScaledInputs(one) if one.name in inner else ScaledOutputs(one) for one in found}
