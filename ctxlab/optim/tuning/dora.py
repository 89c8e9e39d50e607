"""DoRA: low-rank changes of the directions of the matrices, and their lengths.

Shape legend: I inputs and O outputs of a matrix, R rank.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.matrices import Matrix
from ctxlab.optim.tuning.adapters.adapted import Adapted, check_options
from ctxlab.optim.tuning.adapters.low_rank import LowRank


class Directed(LowRank):
    """y = m · (x Vᵀ) / ‖V‖ + b, where V = W + scale · B A and ‖V‖ has the length of each of its rows."""

    def __init__(self, matrix: Matrix, rank: int, scale: float) -> None:
        super().__init__(matrix, rank, scale, dropout=0.0)
        self.magnitude = torch.nn.Parameter(torch.linalg.norm(matrix.weight, dim=1))  # (O,)

    def _factor(self, weight: torch.Tensor) -> torch.Tensor:
        """Return m / ‖V‖ (O,); the length is a constant for the gradient, as in section 4.3 of the paper."""
        with torch.no_grad(), torch.autocast(weight.device.type, enabled=False):
            length = torch.linalg.norm(weight + self.change(), dim=1)
        factor: torch.Tensor = self.magnitude / length
        return factor

    def after(self, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        """Return the output (…, O) with the direction changed and the length replaced."""
        change = F.linear(F.linear(args[0], self.a), self.b) * self.scale  # (…, O)
        bias: Any = module.bias
        whole = output + change if bias is None else output - bias.to(output.dtype) + change  # (…, O): x Vᵀ
        more = self._factor(Matrix("", module).weight) - 1  # (O,): zero at the start, so that nothing changes
        return output + change + more.to(whole.dtype) * whole

    def merged(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Return V with rows of the trained lengths."""
        del bias
        return {"weight": self._factor(weight)[:, None] * (weight + self.change())}


class Dora(Adapted):
    """Trains the length of each row of a matrix apart from its direction, to which a low-rank change is added.

    Source: DoRA (Liu et al. 2024, arXiv:2402.09353).
    """

    def __init__(
        self, rank: int, alpha: float, lr_scale: float, targets: str | Sequence[str], train: Sequence[str]
    ) -> None:
        """Store the options.

        Args:
            rank: Rank of each change.
            alpha: The factor on the changes is alpha / rank.
            lr_scale: Factor of the adapters' learning rate on that of the run.
            targets: ``all`` or names of matrices.
            train: Kinds of other parameters to train.
        """
        super().__init__(targets, train, lr_scale)
        check_options(alpha=alpha, rank=rank)
        (
            self.rank,
            self.scale,
        ) = rank, alpha / rank

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return a change of each matrix; raises UserError if the rank does not fit."""
        del model
        return {one.name: Directed(one, self.rank, self.scale) for one in found}
