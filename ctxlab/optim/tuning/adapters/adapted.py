"""Base of the rules that add a small module to each of some matrices of a frozen body.

Shape legend: I inputs and O outputs of a matrix; x (…, I), y (…, O).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.architecture import note_installed
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix, oriented
from ctxlab.core.model import TUNING_MODULE, UNMERGED
from ctxlab.core.optim import ParameterGroup, Tuning
from ctxlab.optim.tuning.adapters.freezing import freeze_body
from ctxlab.optim.tuning.adapters.targets import find_targets


class Adapter(torch.nn.Module):
    """What is added to one matrix, or layer. It acts through hooks; the module keeps its name, class and weights."""

    changed: Sequence[str] = ("weight",)
    """Parameters of the matrix that ``merged`` replaces; none if it cannot be merged."""

    def install(self, module: torch.nn.Module) -> None:
        """Make ``module`` call this adapter. Hooks are methods, so that a copy of the model calls its own adapters."""
        module.register_forward_hook(self.after)

    def after(self, module: torch.nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        """Return y (…, O) from the inputs x (…, I) of ``module`` and its own output (…, O)."""
        del module, args
        return output

    def merged(self, weight: torch.Tensor, bias: torch.Tensor | None) -> Mapping[str, torch.Tensor]:
        """Return the parameters ``changed`` of a matrix that alone computes what matrix and adapter do.

        Args:
            weight: Its weight (O, I).
            bias: Its bias (O,), if it has one.
        """
        raise NotImplementedError


class Adapted(Tuning, ABC):
    """Trains an adapter for each of some matrices, and the head; merged weights are saved.

    Trainable modules of strategy and task are trained too, and so are the kinds of parameters in ``train``.
    """

    def __init__(self, targets: str | Sequence[str], train: Sequence[str], lr_scale: float) -> None:
        """Store the options.

        Args:
            targets: ``all`` or names of matrices, see ``find_targets``.
            train: Kinds of other parameters to train, see ``freeze_body``.
            lr_scale: Factor of the adapters' learning rate on that of the run.
        """
        check_options(lr_scale=lr_scale)
        self.targets, self.train, self.lr_scale = targets, train, lr_scale

    @abstractmethod
    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return a new adapter for each of the matrices ``found`` by its name, and modules that adapters share.

        Raises:
            UserError: A matrix does not fit.
        """

    def find(self, model: Any) -> list[Matrix]:
        """Return the matrices that are adapted."""
        return find_targets(model, self.targets, option(self))

    def install(self, model: Any) -> None:
        """Freeze the body and attach an adapter to each target.

        Raises:
            UserError: A target is not there or does not fit.
        """
        found = self.find(model)
        freeze_body(model, self.train, option(self))
        adapters = torch.nn.ModuleDict({_key(name): made for name, made in self.build(model, found).items()})
        attach(model, TUNING_MODULE, adapters)
        if not self.merges:
            note_installed(model.config, UNMERGED, {"name": option(self)})
        for one in found:
            _adapter(adapters, one.name).install(one.module)

    def groups(self, model: Any) -> list[ParameterGroup]:
        """Return the adapters' parameters by their factors on the learning rate, then all others."""
        scales: dict[float, list[torch.nn.Parameter]] = {}
        own: set[int] = set()
        for parameter, scale in self.scaled(model):
            if parameter.requires_grad:
                scales.setdefault(scale, []).append(parameter)
                own.add(id(parameter))
        others = [one for one in model.parameters() if one.requires_grad and id(one) not in own]
        return [*(ParameterGroup(some, scale) for scale, some in scales.items()), ParameterGroup(others)]

    def scaled(self, model: Any) -> Iterator[tuple[torch.nn.Parameter, float]]:
        """Yield the adapters' parameters, each with its factor on the learning rate of the run."""
        for _, adapter in self.adapters(model):
            yield from ((parameter, self.lr_scale) for parameter in adapter.parameters())

    def adapters(self, model: Any) -> Iterator[tuple[Matrix, Any]]:
        """Yield the adapted matrices of ``model`` and their adapters, without those of layers that are left out."""
        modules, present = attached(model, TUNING_MODULE), dict(model.named_modules())
        assert isinstance(modules, torch.nn.ModuleDict), "install comes first"
        for key, adapter in modules.items():
            if isinstance(adapter, Adapter):
                name = _name(key)
                if name in present:  # see ``first_layers``
                    yield Matrix(name, present[name]), adapter

    def export(self, model: Any) -> dict[str, torch.Tensor]:
        """Return all weights but the adapters, with these merged."""
        merged: dict[int, torch.Tensor] = {}
        with torch.no_grad():
            for one, adapter in self.adapters(model) if self.merges else ():
                for name, tensor in adapter.merged(one.weight, one.module.bias).items():
                    stored = oriented(one.module, tensor) if name == "weight" else tensor
                    merged[getattr(one.module, name).data_ptr()] = stored.contiguous()
        return {name: merged.get(tensor.data_ptr(), tensor) for name, tensor in super().export(model).items()}

    def save(self, model: Any) -> dict[str, torch.Tensor]:
        """Return the adapters, and the parameters of their matrices from before they are merged (``base_…``)."""
        own = {_name(name): tensor for name, tensor in super().save(model).items()}
        for one, adapter in self.adapters(model):
            for name in adapter.changed:
                if getattr(one.module, name, None) is not None:
                    own[f"{one.name}.base_{name}"] = getattr(one.module, name).detach()
        return own


def _adapter(adapters: torch.nn.ModuleDict, name: str) -> Adapter:
    found = adapters[_key(name)]
    assert isinstance(found, Adapter)
    return found


def _key(name: str) -> str:
    """Return the name of a module as a key of a ``ModuleDict``, which allows no dots."""
    return name.replace(".", "/")


def _name(key: str) -> str:
    return key.replace("/", ".")


def check_options(*, dropout: float = 0.0, **positive: float) -> None:
    """Refuse a rate outside [0, 1), and other options that are not positive; raises UserError."""
    if not 0 <= dropout < 1:
        raise UserError(f"tuning.dropout={dropout} must be at least 0 and below 1.")
    for name, value in positive.items():
        if value <= 0:
            raise UserError(f"tuning.{name}={value} must be above 0.")
