"""AdaLoRA: low-rank changes that share a budget of ranks.

Shape legend: I inputs and O outputs of a matrix, R rank at the start.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix
from ctxlab.core.types import Table
from ctxlab.optim.tuning.adapters.adapted import Adapted, Adapter, check_options
from ctxlab.optim.tuning.adapters.low_rank import check_rank

SMOOTHING = 0.85
"""Weight of the past in the running means of sensitivity and uncertainty, as published."""

DEVIATION = 0.02
"""Standard deviation of the initial singular vectors."""

VECTORS = ("a", "b", "values")


class Decomposed(Adapter):
    """y = x Wᵀ + bias + scale · ((x Aᵀ) · values) Bᵀ, where a value of zero is a rank that is not there.

    The running means from which ranks are chosen are buffers, so that a resumed run chooses the same.
    """

    def __init__(self, matrix: Matrix, rank: int, scale: float) -> None:
        super().__init__()
        check_rank(rank, matrix)
        self.scale = scale
        self.a = torch.nn.Parameter(torch.randn(rank, matrix.in_features) * DEVIATION)  # (R, I)
        self.b = torch.nn.Parameter(torch.randn(matrix.out_features, rank) * DEVIATION)  # (O, R)
        self.values = torch.nn.Parameter(torch.zeros(rank))  # (R,)
        self.register_buffer("kept", torch.ones(rank, dtype=torch.bool))
        for name in VECTORS:
            for mean in ("sensitivity", "uncertainty"):
                self.register_buffer(f"{mean}_{name}", torch.zeros_like(getattr(self, name)))

    def after(self, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        """Return the output (…, O) of ``module`` and the change of its inputs (…, I)."""
        del module
        inner = F.linear(args[0], self.a * self.values[:, None])  # (…, R)
        return output + F.linear(inner, self.b) * self.scale

    def merged(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Return W with the change."""
        del bias
        return {"weight": weight + self.b @ (self.a * self.values[:, None]) * self.scale}

    def deviation(self) -> list[torch.Tensor]:
        """Return how far A and B are from orthogonal, as Frobenius norms."""
        eye = torch.eye(len(self.a), dtype=self.a.dtype, device=self.a.device)
        return [torch.norm(self.a @ self.a.T - eye), torch.norm(self.b.T @ self.b - eye)]

    def observe(self) -> None:
        """Take the gradients of a step into the running means."""
        for name in VECTORS:
            parameter = getattr(self, name)
            if parameter.grad is None:
                continue
            now = (parameter * parameter.grad).abs()
            sensitivity, uncertainty = getattr(self, f"sensitivity_{name}"), getattr(self, f"uncertainty_{name}")
            sensitivity.mul_(SMOOTHING).add_(now, alpha=1 - SMOOTHING)
            uncertainty.mul_(SMOOTHING).add_((now - sensitivity).abs(), alpha=1 - SMOOTHING)

    def importance(self) -> torch.Tensor:
        """Return the importance of each rank (R,): that of its value, and the means of those of its vectors."""
        scores = {name: getattr(self, f"sensitivity_{name}") * getattr(self, f"uncertainty_{name}") for name in VECTORS}
        total: torch.Tensor = scores["values"] + scores["a"].mean(dim=1) + scores["b"].mean(dim=0)
        return total


class Adalora(Adapted):
    """Trains more ranks than wanted, and takes away the least important of all matrices until the budget is kept.

    Source: AdaLoRA (Zhang et al. 2023, arXiv:2303.10512). The budget falls with the cube of what is left between
    ``start`` and ``end``, which are fractions of the run's budget and not steps. Deviations: ranks are chosen after
    every step, and no more after ``end``; the penalty is the mean of norms, as in peft, not a sum of squares.
    """

    def __init__(
        self,
        rank: int,
        initial_rank: int,
        alpha: float,
        start: float,
        end: float,
        orthogonality: float,
        lr_scale: float,
        targets: str | Sequence[str],
        train: Sequence[str],
    ) -> None:
        """Store the options.

        Args:
            rank: Mean rank of a matrix at the end.
            initial_rank: Rank of each at the start.
            alpha: The factor on the changes is alpha / initial_rank.
            start: Fraction of the budget after which ranks are taken away.
            end: Fraction after which the ranks stay.
            orthogonality: Factor of the penalty.
            lr_scale: Factor of the adapters' learning rate on that of the run.
            targets: ``all`` or names of matrices.
            train: Kinds of other parameters to train.
        """
        super().__init__(targets, train, lr_scale)
        check_options(alpha=alpha)
        if not 1 <= rank <= initial_rank:
            raise UserError(f"tuning.rank={rank} must be 1 to tuning.initial_rank={initial_rank}.")
        if not 0 <= start < end <= 1:
            raise UserError(f"tuning.start={start} must be at least 0 and below tuning.end={end}, which is at most 1.")
        if orthogonality < 0:
            raise UserError(f"tuning.orthogonality={orthogonality} must be at least 0.")
        self.rank, self.initial_rank, self.scale = rank, initial_rank, alpha / initial_rank
        (
            self.start,
            self.end,
            self.orthogonality,
        ) = start, end, orthogonality

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return a change of each matrix; raises UserError if the rank does not fit."""
        del model
        return {one.name: Decomposed(one, self.initial_rank, self.scale) for one in found}

    def penalty(self, model: Any) -> torch.Tensor | None:
        """Return the mean distance of the singular vectors from orthogonal ones, times the factor."""
        if not self.orthogonality:
            return None
        return self.orthogonality * torch.stack([d for _, one in self.adapters(model) for d in one.deviation()]).mean()

    def budget(self, progress: float, count: int) -> int:
        """Return the ranks of ``count`` matrices together after ``progress`` of the run's budget."""
        left = 1 - (progress - self.start) / (self.end - self.start)
        extra = (self.initial_rank - self.rank) * min(max(left, 0.0), 1.0) ** 3
        return int((self.rank + extra) * count)

    @torch.no_grad()
    def after_step(self, model: Any, progress: float) -> None:
        """Take away the least important ranks beyond the budget."""
        adapters = [adapter for _, adapter in self.adapters(model)]
        budget = self.budget(progress, len(adapters))
        if progress < self.end or sum(int(one.kept.sum()) for one in adapters) > budget:
            for one in adapters:
                one.observe()
            scores = torch.cat([one.importance() for one in adapters])
            kept = torch.zeros_like(scores, dtype=torch.bool)
            kept[scores.argsort(descending=True, stable=True)[:budget]] = True
            for one, own in zip(adapters, kept.split([len(one.kept) for one in adapters]), strict=True):
                one.kept.copy_(own)
        for one in adapters:
            one.values.mul_(one.kept)

    def constrain(self, model: Any) -> None:
        """Take the ranks out of a mean that are not kept now, though they were in earlier states."""
        for _, one in self.adapters(model):
            one.values.mul_(one.kept)

    def tables(self, model: Any) -> list[Table]:
        """Return a table of the ranks that each matrix has kept."""
        rows = [(matrix.name, int(adapter.kept.sum())) for matrix, adapter in self.adapters(model)]
        return [Table("ranks", "Kept ranks", columns=("matrix", "rank"), rows=rows)]
