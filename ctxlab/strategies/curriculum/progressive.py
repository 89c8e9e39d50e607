"""Context lengths that grow in stages during training."""

from collections.abc import Sequence
from itertools import accumulate

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Curriculum

SHORTEST = 16
"""Fewest tokens of a stage's context."""


class Progressive(Curriculum):
    """Trains in stages of growing length, each for a fraction of the budget; positions are extended at every stage.

    Source: Shortformer's staged training (Press et al. 2021, arXiv:2012.15832) and GrowLength (Jin et al. 2023,
    arXiv:2310.00576). Deviations: stages are fractions of the budget (steps, seconds or tokens, whichever ends first),
    not numbers of steps; documents are read completely at every stage, in shorter windows.
    """

    sorts = False

    def __init__(
        self,
        lengths: Sequence[float] = (0.125, 0.25, 0.5, 1.0),
        shares: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    ) -> None:
        """Take each stage's length as a fraction of the context, and its fraction of the budget."""
        place = "strategy.curriculum"
        if len(lengths) != len(shares) or not lengths:
            raise UserError(
                f"{place}.lengths has {len(lengths)} stages but {place}.shares has {len(shares)}: give one share per "
                "stage."
            )
        if sorted(lengths) != list(lengths) or lengths[0] <= 0 or lengths[-1] != 1:
            raise UserError(
                f"{place}.lengths={list(lengths)} must be increasing, above 0, and end with 1, the whole context."
            )
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise UserError(f"{place}.shares={list(shares)} must be above 0 and add up to 1, the whole budget.")
        self.lengths, self.shares = list(lengths), list(shares)

    def length(self, progress: float, longest: int) -> int:
        """Return the context length of the stage at ``progress``."""
        ends = accumulate(self.shares)
        stage = next((i for i, end in enumerate(ends) if progress < end - 1e-9), len(self.lengths) - 1)
        return min(max(round(self.lengths[stage] * longest), SHORTEST), longest)
