"""Protocols of optimizers, schedules, tuning rules and averages of weights."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from ctxlab.core.contract import Component
from ctxlab.core.errors import UserError
from ctxlab.core.model import ADDED_MODULES, TUNING_MODULE
from ctxlab.core.types import Table


class OptimizerFactory(Component, ABC):
    """An optimizer; each is one file under ``ctxlab/optim/optimizers``."""

    lr: float
    """Learning rate before the schedule's factor."""
    weight_decay: float
    elementwise: ClassVar[bool] = False
    """Whether the change of a weight depends on the gradients of that weight alone, so that processes may each have a
    part of every tensor."""

    @abstractmethod
    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return the optimizer over parameter groups, each of which has its own weight decay."""


class Schedule(Component, ABC):
    """A learning rate schedule; each is one file under ``ctxlab/optim/schedules``."""

    @abstractmethod
    def factor(self, progress: float) -> float:
        """Return the factor of the learning rate at ``progress`` (fraction of the budget spent, 0 to 1)."""

    def cycles_ended(self, progress: float) -> int:
        """Return how many cycles are over at ``progress``, each of which leaves a checkpoint that is kept."""
        del progress
        return 0


@dataclass(frozen=True, eq=False)
class ParameterGroup:
    """Parameters that are trained with the same learning rate."""

    parameters: Sequence[torch.nn.Parameter]
    lr_scale: float = 1.0
    """Factor on the learning rate of the run, warm-up and decay included."""


class Tuning(Component, ABC):
    """A rule that says which parameters are trained; each is one file under ``ctxlab/optim/tuning``.

    A rule that only freezes parameters defines ``install`` alone. So does a rule with adapters of its own, if they may
    be saved beside the unchanged weights of the model: ``save`` and ``load`` then save and restore its module.

    A rule is a description without state: everything that changes in training is in modules of the model, so that one
    rule serves several models.
    """

    merges = True
    """Whether ``export`` returns weights with which a plain ``from_pretrained`` computes what was trained."""

    shards = False
    """Whether the rule works where every weight is dealt to several processes: it reads and changes no weight itself
    once it is installed, and saves them as they are."""

    @abstractmethod
    def install(self, model: Any) -> None:
        """Set ``requires_grad`` on every parameter, and add the rule's own modules (adapters) to ``model``.

        Called whenever a model is assembled, for training or not, after all other parts are installed. The model's own
        parameters keep their names and shapes; a rule's modules are added by
        ``core.added_modules.attach(model, TUNING_MODULE, …)`` and act through hooks. A checkpoint's values are restored
        afterwards, by ``load``.

        Raises:
            UserError: The rule changes nothing in this model, or an option does not fit it.
        """

    def groups(self, model: Any) -> list[ParameterGroup]:
        """Return all trainable parameters of ``model`` by learning rate; each is in one group."""
        return [ParameterGroup([parameter for parameter in model.parameters() if parameter.requires_grad])]

    def penalty(self, model: Any) -> torch.Tensor | None:
        """Return what the rule adds to the loss of one label; None for nothing."""
        del model
        return None

    def after_step(self, model: Any, progress: float) -> None:
        """Change ``model`` after the optimizer has; its gradients are still there.

        Not called after a step whose gradient was not applied.

        Args:
            model: The model in training.
            progress: Fraction of the budget spent before the step, 0 to 1.
        """
        del model, progress

    def constrain(self, model: Any) -> None:
        """Restore what the rule keeps true of its parameters, after all of them were set to a mean of several states.

        Called without gradients; does nothing where a mean of valid parameters is valid too.
        """
        del model

    def tables(self, model: Any) -> list[Table]:
        """Return what the rule has learned, for the report; empty for nothing."""
        del model
        return []

    def export(self, model: Any) -> dict[str, torch.Tensor]:
        """Return the content of a checkpoint's ``model.safetensors`` by name: all weights but the rule's own module.

        A rule that can merge its adapters returns merged weights instead, so that the checkpoint loads without ctxlab;
        its ``save`` then has the weights from before, as subtracting what was merged does not restore them exactly.
        """
        return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(_OWN)}

    def save(self, model: Any) -> dict[str, torch.Tensor]:
        """Return the tensors of ``model`` that ``export`` lacks; saved with every checkpoint, with a checksum.

        They are the model's own tensors, not copies: ``load`` writes into them.
        """
        return {name.removeprefix(_OWN): tensor for name, tensor in model.state_dict().items() if name.startswith(_OWN)}

    def load(self, model: Any, state: Mapping[str, torch.Tensor]) -> None:
        """Restore what ``save`` returned in ``model``, on which ``install`` has been called.

        Raises:
            UserError: The checkpoint was trained with another rule, or with another size of it.
        """
        own = self.save(model)
        wrong = sorted(own.keys() ^ state.keys()) or [name for name in own if own[name].shape != state[name].shape]
        if wrong:
            where = "has no parameter" if wrong[0] in state and wrong[0] not in own else "needs another"
            raise UserError(
                f"The checkpoint was trained with another tuning rule, or with other options of it: this one {where} "
                f"{wrong[0]}; give the tuning= that it was trained with."
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])


class Averaging(Component, ABC):
    """A mean of the weights along training, which is evaluated and exported in their place.

    Each is one file under ``ctxlab/optim/averaging``. Only trainable parameters are averaged, adapters, memory tokens
    and learned spans included; frozen ones and buffers are as they are. Training itself goes on with its own weights.

    A rule is a description without state: what it has seen is a mapping of tensors that the loop hands it, saves and
    restores. Names without a slash are the rule's own numbers, ``<slot>/<parameter>`` are copies of parameters.
    """

    copies: int = 0
    """Copies of the trained weights that it keeps, in memory and in every checkpoint."""

    @abstractmethod
    def update(
        self, seen: dict[str, torch.Tensor], weights: Mapping[str, torch.Tensor], before: float, now: float
    ) -> None:
        """Take the weights after a step into ``seen``; called without gradients.

        Args:
            seen: What the rule has seen; empty at first. Changed in place.
            weights: Trainable parameters by name; copied where they are kept, as the next step changes them.
            before: Fraction of the budget spent before the step, 0 to 1.
            now: Fraction spent after it.
        """

    @abstractmethod
    def mean(self, seen: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return the averaged weights by name; empty as long as there are none, and for the weights as they are."""


_OWN = f"{ADDED_MODULES}.{TUNING_MODULE}."
"""Prefix of the names of a rule's own weights in a model."""
