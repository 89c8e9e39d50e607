"""What an optimizer, a schedule and a tuning rule owe the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.contract import Component


class OptimizerFactory(Component, ABC):
    """One file under ``ctxlab/optim/optimizers`` an optimizer."""

    lr: float
    """Learning rate that the schedule multiplies."""
    weight_decay: float

    @abstractmethod
    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer over parameter groups that carry their own weight decay."""


class Schedule(Component, ABC):
    """One file under ``ctxlab/optim/schedules`` a schedule."""

    @abstractmethod
    def factor(self, progress: float) -> float:
        """What the learning rate is multiplied with at ``progress`` (share of the budget spent, 0 to 1)."""


class Tuning(Component, ABC):
    """One file under ``ctxlab/optim/tuning`` a rule that says which parameters learn."""

    @abstractmethod
    def apply(self, model: Any) -> None:
        """Set ``requires_grad`` on every parameter of ``model``."""
