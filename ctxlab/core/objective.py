"""What an objective owes the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlab.core.contract import Component
from ctxlab.core.passes import Item, Passed, PassRunner
from ctxlab.core.task import Loss, Task


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a step's loss, and the forward pass that it came from."""

    loss: Loss
    passed: Passed
    """Counted in tokens and operations; where its ``cut`` is set, the gradient is computed before the next term.

    A loss over several passes sets it at the last of them only (``dataclasses.replace``), and yields the others before
    with a loss of zero and a weight of zero, so that they are counted.
    """


class Objective(Component, ABC):
    """One file under ``ctxlab/objectives`` an objective: what a training step minimises."""

    def start(self, model: Any) -> None:
        """Take the model that will be trained, once before the first step, also of a resumed run."""
        del model

    @abstractmethod
    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Terms of the loss of ``items``, which fit into memory together.

        The loop adds up the terms, computes their gradient wherever a pass is cut, and divides by the sum of their
        weights over the whole step. When a term that is cut has been taken, its gradient is there: an adversarial
        objective reads it before it yields its next term. One that learns from another model runs the same items
        through it by ``passes.through``.

        Args:
            passes: Runs items through the model that learns.
            items: What this part of the step reads.
            task: Has the loss of outputs against labels.
        """
