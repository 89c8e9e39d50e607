"""LoRA: low-rank changes of the matrices."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch

from ctxlab.core.matrices import Matrix
from ctxlab.optim.tuning.adapters.adapted import Adapted, check_options
from ctxlab.optim.tuning.adapters.low_rank import LowRank


class Lora(Adapted):
    """Trains W + scale · B A for each matrix W of the frozen body, with thin B and A.

    Source: LoRA (Hu et al. 2021, arXiv:2106.09685). With ``scaling=rs`` the scale is alpha / √rank (rsLoRA,
    Kalajdzievski 2023, arXiv:2312.03732); with ``init=pissa`` A and B start from the largest singular values of W,
    which keeps the rest (PiSSA, Meng et al. 2024, arXiv:2404.02948); with ``lr_ratio`` B learns faster than A (LoRA+,
    Hayou et al. 2024, arXiv:2402.12354); ``train=[norms, embeddings]`` is what LongLoRA trains besides (Chen et al.
    2023, arXiv:2309.12307). Deviation: all matrices are adapted by default, where the paper adapts two of attention's.
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
        super().__init__(targets, train, lr_scale)
        check_options(rank=rank, dropout=dropout, alpha=alpha, lr_ratio=lr_ratio)
        self.rank, self.dropout, self.init = rank, dropout, init
        self.scale = alpha / (math.sqrt(rank) if scaling == "rs" else rank)
        self.lr_ratio = lr_ratio

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return a change of each matrix; raises UserError if the rank does not fit."""
        del model
        made = {one.name: LowRank(one, self.rank, self.scale, self.dropout) for one in found}
        if self.init == "pissa":
            for one in found:
                made[one.name].start_from_principal(one)
        return dict(made)

    def scaled(self, model: Any) -> Iterator[tuple[torch.nn.Parameter, float]]:
        """Yield A and B of each change with their factors on the learning rate."""
        for _, adapter in self.adapters(model):
            yield adapter.a, self.lr_scale
            yield adapter.b, self.lr_scale * self.lr_ratio
