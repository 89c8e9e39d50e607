"""The documents that the model finds easy first, as it learns."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.strategy import Curriculum
from ctxlab.core.types import DoubleArray, Window
from ctxlab.strategies.curriculum.difficulty import stages as staged


class SelfPaced(Curriculum):
    """Admits the documents with the lowest loss under the model itself, more of them from stage to stage.

    Source: Kumar et al. 2010, Self-Paced Learning for Latent Variable Models. Deviations: the threshold is a quantile
    of the losses, so that it does not depend on the task's unit (as in Jiang et al. 2015, Self-Paced Curriculum
    Learning); losses are computed at the beginning of every stage, without dropout, and not before each step.

    A stage begins with a forward pass over all training windows, which is counted in the cost.
    """

    sorts = False
    selects = True
    by_loss = True

    def __init__(
        self, initial: float = 0.25, until: float = 0.5, stages: int = 4, *, reverse: bool = False
    ) -> None:  # fmt: skip
        """Set how the admitted fraction grows.

        Args:
            initial: Fraction of the training windows that the first stage draws from.
            until: Fraction of the budget after which all windows are admitted.
            stages: Number of stages until then; the model scores all windows at the beginning of each.
            reverse: Whether the documents with the highest loss come first, as a control.

        Raises:
            UserError: A value is out of range.
        """
        staged.check(initial, until, stages)
        self.initial, self.until, self.stages, self.reverse = initial, until, stages, reverse

    def length(self, progress: float, longest: int) -> int:
        """Return ``longest`` at any progress."""
        del progress
        return longest

    def share(self, progress: float) -> float:
        """Return the admitted fraction of the stage at ``progress``; it grows linearly from stage to stage."""
        return self.initial + (1 - self.initial) * staged.begun(progress, self.until, self.stages)

    def difficulty(self, items: Sequence[Sequence[Window]], losses: DoubleArray | None) -> DoubleArray:
        """Return (N,) the loss of each item, or its negative; all are equal as long as there is none."""
        found = np.zeros(len(items)) if losses is None else losses
        return -found if self.reverse else found
