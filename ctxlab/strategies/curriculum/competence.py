"""Easy windows first, more of them as training goes on."""

import math
from collections.abc import Sequence

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Curriculum
from ctxlab.core.types import DoubleArray, Window
from ctxlab.strategies.curriculum.difficulty import stages as staged
from ctxlab.strategies.curriculum.difficulty import windows as difficulties

MEASURES = {"rarity": difficulties.rarity, "length": difficulties.tokens}


class Competence(Curriculum):
    """Admits the easiest windows up to the model's competence, which grows with the square root of the progress.

    Source: Platanios et al. 2019 (arXiv:1903.09848): after a fraction t of the curriculum the competence is
    √(t (1 − c₀²) + c₀²), and the windows whose difficulty is at most that quantile are drawn from. Deviations: the
    competence grows in stages, each of which begins a pass over its windows, so that resuming needs only a cursor; the
    curriculum takes a fraction of the budget instead of a number of steps.
    """

    sorts = False
    selects = True

    def __init__(
        self, initial: float = 0.1, until: float = 0.5, stages: int = 10, difficulty: str = "rarity",
        *, reverse: bool = False,
    ) -> None:  # fmt: skip
        """Set how competence grows.

        Args:
            initial: c₀, the fraction of the windows that the first stage draws from.
            until: Fraction of the budget after which all windows are admitted.
            stages: Number of stages until then.
            difficulty: ``rarity`` (sum of −log frequency of the tokens) or ``length`` (number of tokens).
            reverse: Whether the most difficult windows come first, as a control.

        Raises:
            UserError: A value is out of range.
        """
        staged.check(initial, until, stages)
        if difficulty not in MEASURES:
            raise UserError(f"strategy.curriculum.difficulty={difficulty} is not known: use {' or '.join(MEASURES)}.")
        self.initial, self.until, self.stages, self.measure = initial, until, stages, difficulty
        self.reverse = reverse

    def length(self, progress: float, longest: int) -> int:
        """Return ``longest`` at any progress."""
        del progress
        return longest

    def share(self, progress: float) -> float:
        """Return the competence at the beginning of the stage at ``progress``."""
        begun = staged.begun(progress, self.until, self.stages)
        return min(math.sqrt(begun * (1 - self.initial**2) + self.initial**2), 1.0)

    def difficulty(self, items: Sequence[Sequence[Window]], losses: DoubleArray | None) -> DoubleArray:
        """Return (N,) the rarity or length of each item, or its negative."""
        del losses
        found = MEASURES[self.measure](items)
        return -found if self.reverse else found
