"""What an optimizer, a schedule and a tuning rule owe the training loop."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch


class OptimizerFactory(Protocol):
    """One file under ``ctxlab/optim/optimizers`` an optimizer."""

    lr: float
    """Learning rate that the schedule multiplies."""
    weight_decay: float

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer over parameter groups that carry their own weight decay."""
        ...


class Schedule(Protocol):
    """One file under ``ctxlab/optim/schedules`` a schedule."""

    def factor(self, progress: float) -> float:
        """What the learning rate is multiplied with at ``progress`` (share of the budget spent, 0 to 1)."""
        ...


class Tuning(Protocol):
    """One file under ``ctxlab/optim/tuning`` a rule that says which parameters learn."""

    def apply(self, model: Any) -> None:
        """Set ``requires_grad`` on every parameter of ``model``."""
        ...
