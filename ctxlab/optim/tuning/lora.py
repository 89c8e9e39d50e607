"""LoRA: low-rank changes of the matrices."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch

from ctxlab.core.architecture import Matrix
from ctxlab.core.errors import UserError
from ctxlab.optim.tuning.adapters.adapted import Adapted
from ctxlab.optim.tuning.adapters.low_rank import LowRank


class Lora(Adapted):
    """Trains W + scale · B A for each matrix W of the frozen body, with thin B and A.

    Source: LoRA (Hu et al. 2021, arXiv:2106.09685). With ``scaling=rs`` the scale is alpha / √rank (rsLoRA, Kalajdzievski
    2023, arXiv:2312.03732); with ``init=pissa`` A and B start from the largest singular values of W, which keeps the
    rest (PiSSA, Meng et al. 2024, arXiv:2404.02948); with ``lr_ratio`` B learns faster than A (LoRA+, Hayou et al. 2024,
    arXiv:2402.12354). ``train=[norms, embeddings]`` is what LongLoRA trains besides (Chen et al. 2023,
    arXiv:2309.12307). Deviation: all matrices are adapted by default, where the paper adapts two of the attention's.
    """

    def __init__(
        self,
        rank: int,
        alpha: float,
        scaling: Literal["standard", "rs"],
        init: Literal["random", "pissa"],
        dropout: float,
        lr_scale: float,
        lr_ratio: float,
        targets: str | Sequence[str],
        train: Sequence[str],
    ) -> None:
        """Store the options.

        Args:
            rank: Rank of each change.
            alpha: Numerator of the scale.
            scaling: Denominator of the scale: ``standard`` for the rank, ``rs`` for its square root.
            init: ``random`` A and zero B, or ``pissa``.
            dropout: Rate on the inputs of the changes, 0 to below 1.
            lr_scale: Factor of A's learning rate on that of the run.
            lr_ratio: Learning rate of B over that of A.
            targets: ``all`` or names of matrices.
            train: Kinds of other parameters to train.
        """
        super().__init__(targets, train)
        check_options(dropout=dropout, alpha=alpha, lr_scale=lr_scale, lr_ratio=lr_ratio)
        if rank < 1:
            raise UserError(f"tuning.rank={rank} must be at least 1.")
        self.rank, self.dropout, self.init = rank, dropout, init
        self.scale = alpha / (math.sqrt(rank) if scaling == "rs" else rank)
        self.lr_scale, self.lr_ratio = lr_scale, lr_ratio

    def adapter(self, matrix: Matrix) -> LowRank:
        """Return the change of ``matrix``; raises UserError if the rank does not fit."""
        made = LowRank(matrix, self.rank, self.scale, self.dropout)
        if self.init == "pissa":
            made.start_from_principal(matrix)
        return made

    def scaled(self, model: Any) -> Iterator[tuple[torch.nn.Parameter, float]]:
        """Yield A and B of each change with their factors on the learning rate."""
        for _, adapter in self.adapters(model):
            yield adapter.a, self.lr_scale
            yield adapter.b, self.lr_scale * self.lr_ratio


def check_options(*, dropout: float = 0.0, **positive: float) -> None:
    """Refuse a rate outside [0, 1), and other options that are not positive; raises UserError."""
    if not 0 <= dropout < 1:
        raise UserError(f"tuning.dropout={dropout} must be at least 0 and below 1.")
    for name, value in positive.items():
        if value <= 0:
            raise UserError(f"tuning.{name}={value} must be above 0.")
