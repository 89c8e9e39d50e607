"""Focal loss: what is predicted well already counts less."""

from collections.abc import Iterator, Sequence

import torch
from torch.nn import functional

from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import LABEL_SETS, LABELS, POSITIONS, TOKENS, Loss, Predicted, Task
from ctxlab.objectives.inner.limits import at_least

SMALLEST = 1e-6
"""Smallest probability of a mistake whose power is taken: at 0 the gradient of a small power is not finite."""


class Focal(Objective):
    """The cross entropy of each prediction times (1 − p)^γ, where p is the probability of the right answer.

    Source: Lin et al. 2017, arXiv:1708.02002. Deviations: without the weight α of a class, for which there is
    ``weighted``; divided by the number of labels, as the plain loss is, not by that of the rare class, so that γ = 0 is
    the plain loss; where several places are right, p is their geometric mean.

    A step costs one forward and one backward pass.
    """

    serves = frozenset({LABELS, LABEL_SETS, POSITIONS, TOKENS})

    def __init__(self, gamma: float) -> None:
        """Set the exponent.

        Args:
            gamma: Exponent of the probability of a mistake, at least 0.

        Raises:
            UserError: It is negative.
        """
        at_least(0, "2", gamma=gamma)
        self.gamma = gamma

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the focal loss of every pass."""
        for passed in passes.run(items):
            predicted = task.predicted(passed.outputs, passed.labels)
            yield Term(Loss(self._total(predicted), predicted.weights.sum()), passed)

    def _total(self, predicted: Predicted) -> torch.Tensor:
        """Return the loss summed over all predictions."""
        each = functional.cross_entropy(predicted.logits, predicted.gold, reduction="none")  # (N,)
        wrong = -torch.expm1(-each)
        return (wrong.clamp(min=SMALLEST) ** self.gamma * each * predicted.weights).sum()
