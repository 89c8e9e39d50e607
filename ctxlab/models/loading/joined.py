"""The heads of several tasks on one body, of which each forward pass uses one.

The model is built with the head of one member as any other model is. Each of the others is that of a model of the same
architecture whose body is replaced by this one: what lies between body and outputs (dropout, projections) is as the
library defines it, and is saved among the added modules.
"""

import copy
from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch

from ctxlab.core.added_modules import attach, attached
from ctxlab.core.model import MEMBER, TASK_MODULE
from ctxlab.core.task import HeadOf
from ctxlab.models.loading.heads import auto_class, check_head, label_fields


class Heads(torch.nn.Module):
    """The modules of all heads but the model's own, by name of the member and of the module."""

    def __init__(self, names: Sequence[str], own: str, default: str, models: dict[str, Any]) -> None:
        """Take the heads of models.

        Args:
            names: All members, in the order of their numbers.
            own: The member whose head the model was built with.
            default: The member that answers where a pass names none.
            models: A model of the same architecture for each other member, whose body is never used.
        """
        super().__init__()
        self.names, self.own, self.default = tuple(names), own, default
        for name, model in models.items():
            body = model.base_model
            head = torch.nn.ModuleDict({key: module for key, module in model.named_children() if module is not body})
            self.add_module(f"{name}_head", head)
            for child, _ in list(model.named_children()):
                del model._modules[child]
        self._shells = models
        """Models without modules, which lend their forward passes; not a module, so that nothing is saved twice."""

    def parts(self) -> list[torch.nn.Module]:
        """Return everything between body and outputs, of all these heads."""
        return [part for head in self.children() for part in head.children()]

    def answer(self, model: Any, member: int | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run ``model`` with the head of a member.

        Args:
            model: The model that the heads were joined to.
            member: Number of the member; None is the default one.
            args: Positional inputs.
            kwargs: Other inputs.
        """
        name = self.default if member is None else self.names[member]
        if name == self.own:
            return type(model).forward(model, *args, **kwargs)
        shell = self._shells[name]
        shell._modules = {**self.get_submodule(f"{name}_head")._modules, model.base_model_prefix: model.base_model}
        shell.training, shell.config.pad_token_id = model.training, model.config.pad_token_id
        return shell.forward(*args, **kwargs)


def join(model: Any, built: HeadOf, heads: Sequence[HeadOf], answers: str) -> None:
    """Put the heads of all members on ``model``; nothing for a task without several.

    New heads are initialised from torch's global seed, in the order of the members.

    Args:
        model: As built with the head of one member.
        built: That head.
        heads: Those of all members, in the order of their numbers.
        answers: Kind of the head that answers where a pass names no member.

    Raises:
        UserError: The architecture has no such head.
    """
    if not heads:
        return
    models = {one.name: _like(model, one) for one in heads if one.name != built.name}
    default = built.name if built.head == answers else next(one.name for one in heads if one.head == answers)
    attach(model, TASK_MODULE, Heads([one.name for one in heads], built.name, default, models).train(model.training))
    model.forward = MethodType(_forward, model)


def _like(model: Any, head: HeadOf) -> Any:
    """Return a new model of the architecture of ``model`` with another head, whose weights are drawn."""
    config = copy.deepcopy(model.config)
    for name, value in label_fields(head.labels).items():
        setattr(config, name, value)
    check_head(config, head.head)
    return auto_class(head.head).from_config(config)


def _forward(model: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the model with the head of the member that the inputs name."""
    member = kwargs.pop(MEMBER, None)
    heads = attached(model, TASK_MODULE)
    assert isinstance(heads, Heads)
    return heads.answer(model, None if member is None else int(torch.as_tensor(member).flatten()[0]), args, kwargs)
