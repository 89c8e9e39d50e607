"""A quadratic penalty on the distance of weights from those that the stage before ended with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import Loss, Task

Weights = Mapping[str, torch.Tensor]


class Quadratic:
    """½ Σ_i F_i (θ_i − θ*_i)² over weights i: F summed over all stages, θ* the weights at the end of the last one.

    These already hold what the stages before them want, so that parabolas of those at their own ends, as Kirkpatrick et
    al. 2017 have them, count the first corpora twice (Huszár 2018, arXiv:1712.03847). Where the loss is quadratic and F
    is its whole curvature, a stage with this penalty ends where training on all corpora together does.
    """

    def __init__(self, stages: Sequence[tuple[Weights, Weights]]) -> None:
        """Join all stages.

        Args:
            stages: F (importance, at least 0) and weights at the end of each stage, by the name of the parameter, in
                order.
        """
        self.importance: dict[str, torch.Tensor] = {}
        self.centre: dict[str, torch.Tensor] = {}
        for importance, weights in stages:
            for name, own in importance.items():
                before = self.importance.get(name)
                fits = before is not None and before.shape == own.shape
                self.importance[name] = before + own if fits and before is not None else own
                self.centre[name] = weights[name]

    def of(self, parameters: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """Return the penalty, differentiable in ``parameters``; None where none of them has one."""
        terms = []
        for name, parameter in parameters.items():
            if name not in self.importance or self.importance[name].shape != parameter.shape:
                continue
            for known in (self.importance, self.centre):
                if known[name].device != parameter.device:
                    known[name] = known[name].to(parameter.device)
            terms.append((self.importance[name] * (parameter - self.centre[name]) ** 2).sum())
        return torch.stack(terms).sum() / 2 if terms else None


class Penalised(Objective):
    """An objective with a penalty for every label."""

    def __init__(self, given: Objective, penalty: Quadratic, weight: float) -> None:
        """Join both.

        Args:
            given: The objective without penalty.
            penalty: The penalty.
            weight: Factor on it.
        """
        self.given, self.penalty, self.weight = given, penalty, weight
        self._parameters: dict[str, torch.nn.Parameter] = {}

    def start(self, model: Any) -> None:
        """Keep the model's trainable parameters."""
        self.given.start(model)
        self._parameters = {name: one for name, one in model.named_parameters() if one.requires_grad}

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the terms of the objective, each with the penalty times the number of its labels."""
        for term in self.given.step(passes, items, task):
            penalty = self.penalty.of(self._parameters)
            if penalty is None:
                yield term
                continue
            total = term.loss.total + self.weight * penalty * term.loss.weight
            yield replace(term, loss=Loss(total, term.loss.weight))
