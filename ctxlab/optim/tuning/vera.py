"""VeRA: vectors between random matrices that all layers share.

Shape legend: I inputs and O outputs of a matrix, R rank, I* and O* the largest of all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.matrices import Matrix
from ctxlab.optim.tuning.adapters.adapted import Adapted, Adapter, check_options

SHARED = "shared"
"""Name of the random matrices among a model's adapters."""


class RandomMatrices(torch.nn.Module):
    """Two frozen matrices, from which each adapter takes what fits its matrix; saved, so that no seed matters."""

    a: torch.Tensor
    b: torch.Tensor

    def __init__(self, num_inputs: int, num_outputs: int, rank: int) -> None:
        super().__init__()
        self.register_buffer("a", torch.empty(rank, num_inputs))  # (R, I*)
        self.register_buffer("b", torch.empty(num_outputs, rank))  # (O*, R)
        for matrix in (self.a, self.b):
            torch.nn.init.kaiming_uniform_(matrix)


class Scaled(Adapter):
    """y = x Wᵀ + bias + b · (d · (x Aᵀ)) Bᵀ with trained vectors b and d."""

    def __init__(self, matrix: Matrix, shared: RandomMatrices, initial: float) -> None:
        super().__init__()
        self._shared = (shared,)  # in a tuple, so that it is not a part of every adapter
        self.d = torch.nn.Parameter(torch.full((len(shared.a),), initial))  # (R,)
        self.b = torch.nn.Parameter(torch.zeros(matrix.out_features))  # (O,)

    def after(self, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        """Return the output (…, O) of ``module`` and the change of its inputs (…, I)."""
        del module
        (inputs,) = args
        a, b = self._shared[0].a[:, : inputs.shape[-1]], self._shared[0].b[: len(self.b)]
        inner = self.d * F.linear(inputs, a)  # (…, R)
        return output + self.b.to(output.dtype) * F.linear(inner, b)

    def merged(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Return W with the change."""
        del bias
        a, b = self._shared[0].a[:, : weight.shape[1]], self._shared[0].b[: len(self.b)]
        return {"weight": weight + (self.b[:, None] * b) @ (self.d[:, None] * a)}


class Vera(Adapted):
    """Trains two vectors for each matrix; between them are random matrices that stay as they were drawn.

    Source: VeRA (Kopiczko et al. 2023, arXiv:2310.11454). Deviations: all matrices are adapted by default; the random
    matrices are as large as the largest matrix needs, and smaller ones take their first rows and columns, as in peft.
    """

    def __init__(
        self, rank: int, initial: float, lr_scale: float, targets: str | Sequence[str], train: Sequence[str]
    ) -> None:
        """Store the options.

        Args:
            rank: Inner width of the random matrices; it may exceed that of a matrix.
            initial: Initial value of the inner vectors; the outer ones start at zero.
            lr_scale: Factor of the vectors' learning rate on that of the run.
            targets: ``all`` or names of matrices.
            train: Kinds of other parameters to train.
        """
        super().__init__(targets, train, lr_scale)
        check_options(rank=rank, initial=initial)
        (
            self.rank,
            self.initial,
        ) = rank, initial

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return the random matrices, and vectors for each matrix."""
        del model
        widest = max(one.in_features for one in found), max(one.out_features for one in found)
        shared = RandomMatrices(*widest, rank=self.rank)
        return {SHARED: shared, **{one.name: Scaled(one, shared, self.initial) for one in found}}
