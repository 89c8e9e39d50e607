"""Short contexts first, longer ones as the budget is spent."""

from collections.abc import Sequence
from itertools import accumulate

from ctxlab.core.errors import UserError
from ctxlab.core.strategy import Curriculum

SHORTEST = 16
"""Tokens of a context below which no stage goes."""


class Progressive(Curriculum):
    """Stages of growing length, each for a share of the budget; positions are extended at every step up.

    Source: Shortformer's staged training (Press et al. 2021, arXiv:2012.15832) and GrowLength (Jin et al. 2023,
    arXiv:2310.00576). Deviations: stages are shares of the budget (steps, seconds, tokens, whichever ends first), not
    numbers of steps; documents are read whole at every stage, in shorter windows.
    """

    sorts = False

    def __init__(
        self,
        lengths: Sequence[float] = (0.125, 0.25, 0.5, 1.0),
        shares: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    ) -> None:
        """Take the length of each stage as a share of the context, and the share of the budget that it gets."""
        place = "strategy.curriculum"
        if len(lengths) != len(shares) or not lengths:
            raise UserError(
                f"{place}.lengths has {len(lengths)} stages and {place}.shares {len(shares)}: give one share each."
            )
        if sorted(lengths) != list(lengths) or lengths[0] <= 0 or lengths[-1] != 1:
            raise UserError(f"{place}.lengths={list(lengths)} must grow from above 0 to 1, the whole context.")
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise UserError(f"{place}.shares={list(shares)} must be above 0 and add up to 1, the whole budget.")
        self.lengths, self.shares = list(lengths), list(shares)

    def length(self, progress: float, longest: int) -> int:
        """Tokens of the stage that ``progress`` lies in."""
        ends = accumulate(self.shares)
        stage = next((i for i, end in enumerate(ends) if progress < end - 1e-9), len(self.lengths) - 1)
        return min(max(round(self.lengths[stage] * longest), SHORTEST), longest)
