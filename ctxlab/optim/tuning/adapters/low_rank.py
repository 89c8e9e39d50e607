"""The low-rank change of a matrix that several rules train.

Shape legend: I inputs and O outputs of a matrix, R rank; x (…, I), y (…, O).
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix
from ctxlab.optim.tuning.adapters.adapted import Adapter


def check_rank(rank: int, matrix: Matrix) -> None:
    """Refuse a rank that ``matrix`` cannot have; raises UserError."""
    most = min(matrix.in_features, matrix.out_features)
    if not 1 <= rank <= most:
        raise UserError(
            f"tuning.rank={rank} does not fit {matrix.name}, a matrix of {matrix.out_features} × "
            f"{matrix.in_features}: use 1 to {most}, or leave it out of tuning.targets."
        )


class LowRank(Adapter):
    """y = x Wᵀ + b + scale · x Aᵀ Bᵀ."""

    def __init__(self, matrix: Matrix, rank: int, scale: float, dropout: float) -> None:
        """Draw A and set B to zero, so that nothing changes at the start.

        Args:
            matrix: What is adapted.
            rank: R.
            scale: Factor on the change.
            dropout: Rate on the inputs of the change.
        """
        super().__init__()
        check_rank(rank, matrix)
        self.scale = scale
        self.dropout = torch.nn.Dropout(dropout)
        self.a = torch.nn.Parameter(torch.empty(rank, matrix.in_features))  # (R, I)
        self.b = torch.nn.Parameter(torch.zeros(matrix.out_features, rank))  # (O, R)
        torch.nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def start_from_principal(self, matrix: Matrix) -> None:
        """Take A and B from the largest singular values of W, and leave the rest in W: the sum is unchanged."""
        left, values, right = torch.linalg.svd(matrix.weight.float(), full_matrices=False)  # (O, S), (S,), (S, I)
        rank = len(self.a)
        roots = torch.diag(torch.sqrt(values[:rank] / self.scale))
        with torch.no_grad():
            self.a.copy_(roots @ right[:rank])
            self.b.copy_(left[:, :rank] @ roots)
            matrix.weight.sub_(self.change())

    def change(self) -> torch.Tensor:
        """Return what is added to W, (O, I)."""
        return self.scale * self.b @ self.a

    def after(self, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        """Return the output (…, O) of ``module`` and the change of its inputs (…, I)."""
        del module
        inner = F.linear(self.dropout(args[0]), self.a)  # (…, R)
        return output + F.linear(inner, self.b) * self.scale

    def merged(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Return W with the change."""
        del bias
        return {"weight": weight + self.change()}
