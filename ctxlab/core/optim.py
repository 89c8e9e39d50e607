"""What an optimizer, a schedule and a tuning rule owe the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ctxlab.core.contract import Component
from ctxlab.core.errors import UserError


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
    def install(self, model: Any) -> None:
        """Set ``requires_grad`` on every parameter, and put what learns beside them (adapters) into ``model``.

        Called wherever a model is assembled, for training or not, after all other parts are in it and before the
        weights of a checkpoint are loaded.
        """

    def state(self, model: Any) -> dict[str, torch.Tensor]:
        """What ``install`` added and training changed; saved with every checkpoint, under its checksums."""
        del model
        return {}

    def load(self, model: Any, state: Mapping[str, torch.Tensor]) -> None:
        """Put a saved ``state`` back into ``model``, in which ``install`` has been called.

        Raises:
            UserError: The checkpoint was trained under another rule.
        """
        del model
        if state:
            raise UserError(
                f"The checkpoint holds weights of another tuning rule ({', '.join(sorted(state)[:3])}, …): give the "
                "tuning= that it was trained with."
            )
