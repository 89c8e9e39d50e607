"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.optim import OptimizerFactory


@dataclass
class Adamw(OptimizerFactory):
    """Adam with decoupled weight decay, in torch's fused kernel."""

    elementwise = True

    lr: float
    weight_decay: float
    betas: Sequence[float]
    eps: float

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return the optimizer over ``groups``."""
        return torch.optim.AdamW(groups, lr=self.lr, betas=(self.betas[0], self.betas[1]), eps=self.eps, fused=True)
