"""Regularised dropout: two draws of dropout should agree."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import Loss, Task
from ctxlab.core.types import NO_LABEL

HEAD = "token_classification"
"""Head whose outputs are the label distributions of tokens."""


class RDrop(Objective):
    """Every window twice, with other draws of dropout: the mean of both losses, and how much both distributions differ.

    Source: Liang et al. 2021, arXiv:2106.14448: the symmetric Kullback-Leibler divergence (½ of the sum of both), mean
    over labelled tokens, times ``alpha``. Deviation: of both cross entropies the mean, as in the authors' code, not the
    sum, so that the learning rate keeps its meaning.

    A step costs two forward and two backward passes, and the activations of both are in memory at the same time.
    """

    fixed_passes = True

    def __init__(self, alpha: float) -> None:
        """Set the weight of the divergence.

        Args:
            alpha: Weight of the divergence, at least 0.

        Raises:
            UserError: It is negative.
        """
        if alpha < 0:
            raise UserError(f"objective.alpha={alpha} is out of range: give a number of at least 0, such as 1.")
        self.alpha = alpha

    def start(self, model: Any) -> None:
        """Check that the model draws at all.

        Raises:
            UserError: It has no dropout, so that both passes would be one.
        """
        modules = list(model.modules())
        rates: list[Any] = [module.p for module in modules if isinstance(module, torch.nn.Dropout)]
        rates += [getattr(module, "attention_dropout", None) for module in modules]
        if not any(isinstance(rate, float) and rate > 0 for rate in rates):
            raise UserError(
                "objective=rdrop compares two draws of dropout, and this model has none: "
                "use model.dropout=0.1 or objective=standard."
            )

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the first pass without a loss, and the second with the loss of both.

        Raises:
            UserError: The outputs for this task are no label distributions of tokens.
        """
        if task.head != HEAD:
            raise UserError(
                f"objective=rdrop compares the label distributions of tokens, which task={task.name} does not predict: "
                "use task=ner or objective=standard."
            )
        nothing = torch.zeros(())
        for one, other in zip(passes.run(items), passes.run(items), strict=True):
            first, second = (task.loss(passed.outputs, passed.labels) for passed in (one, other))
            asked = one.labels != NO_LABEL
            apart = divergence(one.outputs[asked].float(), other.outputs[asked].float())
            loss = (first.total + second.total) / 2 + self.alpha * apart * first.weight
            yield Term(Loss(nothing, nothing), replace(one, cut=False))
            yield Term(Loss(loss, first.weight), other)


def divergence(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the mean over tokens of the symmetric Kullback-Leibler divergence (nats) of two logits (N, C)."""
    if not len(one):
        return one.sum()
    a, b = one.log_softmax(-1), other.log_softmax(-1)
    both = functional.kl_div(a, b, log_target=True, reduction="none") + functional.kl_div(
        b, a, log_target=True, reduction="none"
    )
    return both.sum(-1).mean() / 2
