"""Regularised dropout: two draws of dropout should agree."""

from collections.abc import Iterator, Sequence
from typing import Any

from ctxlab.core.architecture import has_dropout
from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective, Term
from ctxlab.core.passes import Item, PassRunner
from ctxlab.core.task import LABEL_SETS, LABELS, POSITIONS, TOKENS, Loss, Task
from ctxlab.objectives.inner.divergence import symmetric
from ctxlab.objectives.inner.limits import at_least
from ctxlab.objectives.inner.moving import counted


class RDrop(Objective):
    """Every window twice, with other draws of dropout: the mean of both losses, and how much both distributions differ.

    Source: Liang et al. 2021, arXiv:2106.14448: the symmetric Kullback-Leibler divergence (½ of the sum of both), mean
    over predictions, times ``alpha``. Deviation: of both cross entropies the mean, as in the authors' code, not the
    sum, so that the learning rate keeps its meaning.

    A step costs two forward and two backward passes, and the activations of both are in memory at the same time.
    """

    serves = frozenset({LABELS, LABEL_SETS, POSITIONS, TOKENS})
    fixed_passes = True

    def __init__(self, alpha: float) -> None:
        """Set the weight of the divergence.

        Args:
            alpha: Weight of the divergence, at least 0.

        Raises:
            UserError: It is negative.
        """
        at_least(0, "1", alpha=alpha)
        self.alpha = alpha

    def start(self, model: Any) -> None:
        """Check that the model draws at all.

        Raises:
            UserError: It has no dropout, so that both passes would be one.
        """
        if not has_dropout(model):
            raise UserError(
                "objective=rdrop compares two draws of dropout, and this model has none: "
                "use model.dropout=0.1 or objective=standard."
            )

    def step(self, passes: PassRunner, items: Sequence[Item], task: Task) -> Iterator[Term]:
        """Yield the first pass without a loss, and the second with the loss of both."""
        for one, other in zip(passes.run(items), passes.run(items), strict=True):
            first, second = (task.loss(passed.outputs, passed.labels) for passed in (one, other))
            a, b = (task.predicted(passed.outputs, passed.labels) for passed in (one, other))
            apart = (symmetric(a.logits, b.logits) * a.weights).sum() / 2
            yield counted(one)
            yield Term(Loss((first.total + second.total) / 2 + self.alpha * apart, first.weight), other)
