"""How much each weight matters to documents: the diagonal of the empirical Fisher information."""

from collections.abc import Iterable, Mapping, Sequence

import torch

from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import Task


def fisher(
    parameters: Mapping[str, torch.nn.Parameter],
    documents: Iterable[Sequence[Item]],
    passes: PassRunner,
    task: Task,
) -> dict[str, torch.Tensor]:
    """Return Σ g² over documents, divided by their labels, for each parameter, in its shape.

    g is the gradient of the negative log likelihood of all labels of one document. Squared gradients of a mean over
    several documents, which are used instead elsewhere, are too small by about their number.

    Args:
        parameters: By name.
        documents: Items of each document.
        passes: Runs them through the model.
        task: Computes the loss, a sum over labels.
    """
    found = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    labels = 0.0
    for items in documents:
        labels += _backward(items, passes, task)
        for name, parameter in parameters.items():
            if parameter.grad is not None:
                found[name] += parameter.grad.detach() ** 2
                parameter.grad = None
    return {name: total / labels if labels else total for name, total in found.items()}


def _backward(items: Sequence[Item], passes: PassRunner, task: Task) -> float:
    """Add the gradient of a document's loss to those of the parameters; returns the weight of its labels."""
    weight = 0.0
    for item in items:  # one at a time, as a document may be larger than a step
        carried: torch.Tensor | None = None
        for passed in passes.run([item]):
            loss = task.loss(passed.outputs, passed.labels)
            carried = loss.total if carried is None else carried + loss.total
            weight += loss.weight.item()
            if passed.cut:
                if carried.requires_grad:
                    carried.backward()
                carried = None
    return weight
