"""What an optimizer, a schedule and a tuning rule owe the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ctxlab.core.contract import Component
from ctxlab.core.errors import UserError
from ctxlab.core.model import PARTS, TUNING_PART


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
    """One file under ``ctxlab/optim/tuning`` a rule that says which parameters learn.

    A rule that only freezes defines ``install`` alone. So does one with adapters of its own, as long as they may be
    saved beside the unchanged weights of the model: ``state`` and ``load`` then save and restore its module.
    """

    @abstractmethod
    def install(self, model: Any) -> None:
        """Set ``requires_grad`` on every parameter, and put what learns beside them (adapters) into ``model``.

        Called wherever a model is assembled, for training or not, after all other parts are in it. The model's own
        parameters keep their names and shapes; a rule's modules go in by ``core.parts.attach(model, TUNING_PART, …)``,
        and act through hooks or by being called from there. What a checkpoint holds is put in afterwards, by ``load``.
        """

    def weights(self, model: Any) -> dict[str, torch.Tensor]:
        """What ``model.safetensors`` of a checkpoint holds, by name: all but the rule's own module.

        A rule that can merge its adapters returns merged weights instead, so that the checkpoint loads without ctxlab;
        its ``state`` then has what takes them apart again.
        """
        return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(_OWN)}

    def state(self, model: Any) -> dict[str, torch.Tensor]:
        """What ``install`` added and training changed; saved with every checkpoint, under its checksums."""
        return {name.removeprefix(_OWN): tensor for name, tensor in model.state_dict().items() if name.startswith(_OWN)}

    def load(self, model: Any, state: Mapping[str, torch.Tensor]) -> None:
        """Put a saved ``state`` back into ``model``, in which ``install`` has been called.

        Raises:
            UserError: The checkpoint was trained under another rule, or with another size of it.
        """
        own = self.state(model)
        wrong = sorted(own.keys() ^ state.keys()) or [name for name in own if own[name].shape != state[name].shape]
        if wrong:
            where = "has no place for" if wrong[0] in state and wrong[0] not in own else "needs another"
            raise UserError(
                f"The checkpoint was trained under another tuning rule, or with other options of it: this one {where} "
                f"{wrong[0]}; give the tuning= that it was trained with."
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])


_OWN = f"{PARTS}.{TUNING_PART}."
"""How the names of a rule's own weights begin in a model."""
