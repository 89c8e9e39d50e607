"""Protocol of training objectives."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import Loss, Task


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a step's loss, and the forward pass that it was computed from."""

    loss: Loss
    passed: Passed
    """Its tokens and FLOPs are counted; if its ``cut`` is set, the gradient is computed before the next term.

    A loss over several passes sets ``cut`` on the last of them only (``dataclasses.replace``), and yields the others
    before it with zero loss and zero weight, so that they are counted.
    """


class Objective(Component, ABC):
    """The loss that a training step minimises; each is one file under ``ctxlab/objectives``."""

    fixed_passes = False
    """Whether any items take the same number of forward and backward passes through the model, whatever they hold, so
    that processes among which its weights are dealt can run equally many."""

    def start(self, model: Any) -> None:
        """Receive the model to be trained; called once before the first step, of a resumed run too."""
        del model

    @abstractmethod
    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the terms of the loss of ``items``, which fit into memory together.

        The loop adds up the terms, computes their gradient after each pass that is cut, and divides by the sum of
        their weights over the whole step. After a yield of a cut term its gradient is available: an adversarial
        objective reads it before it yields the next term. A distilling objective runs the same items through its
        teacher by ``passes.through``.

        Args:
            passes: Runs items through the model that is trained.
            items: Windows of this part of the step.
            task: Computes the loss of outputs against labels.
        """
