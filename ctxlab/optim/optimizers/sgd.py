"""Stochastic gradient descent with momentum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.optim import OptimizerFactory


@dataclass
class Sgd(OptimizerFactory):
    """SGD, a simple baseline; it needs a learning rate about a hundred times that of adamw."""

    elementwise = True

    lr: float
    weight_decay: float
    momentum: float
    nesterov: bool

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return the optimizer over ``groups``."""
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)
