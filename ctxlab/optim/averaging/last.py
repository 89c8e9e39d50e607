"""Mean of the last few points of training."""

import math
from collections.abc import Mapping

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.optim import Averaging
from ctxlab.optim.averaging.slots.copies import get, number, put, set_number

COUNT = "count"

ROUNDING = 1e-9
"""Share of the budget by which a point may come early: sums of shares are inexact."""


class Last(Averaging):
    """The equal mean of the weights at the last ``points`` points, which are ``every`` share of the budget apart.

    Source: latest weight averaging (Kaddour 2022, arXiv:2209.14981). Deviation: the distance of points is a share of
    the budget instead of an epoch. Before the first point the weights are as they are.
    """

    def __init__(self, points: int, every: float) -> None:
        """Take the number of points, and their distance as a share of the budget."""
        if points < 1:
            raise UserError(f"averaging.points={points} is too small: give a whole number of at least 1.")
        if not 0 < every <= 1:
            raise UserError(f"averaging.every={every} is not a share of the budget: give a number above 0 to 1.")
        self.copies, self.every = points, every

    def update(
        self, seen: dict[str, torch.Tensor], weights: Mapping[str, torch.Tensor], before: float, now: float
    ) -> None:
        """Copy the weights over the oldest point, if the step came to a new one."""
        if self._passed(now) == self._passed(before):
            return
        count = int(number(seen, COUNT))
        put(seen, str(count % self.copies), weights)
        set_number(seen, COUNT, count + 1)

    def _passed(self, progress: float) -> int:
        """Return the number of points up to ``progress``."""
        return math.floor((progress + ROUNDING) / self.every)

    def mean(self, seen: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return the mean of the points there are, summed in double precision; empty before the first."""
        slots = range(min(int(number(seen, COUNT)), self.copies))
        return {name: self._mean(seen, name, len(slots)) for name in get(seen, "0")}

    @staticmethod
    def _mean(seen: Mapping[str, torch.Tensor], name: str, count: int) -> torch.Tensor:
        first = seen[f"0/{name}"]
        total = first.double()
        for slot in range(1, count):
            total = total + seen[f"{slot}/{name}"]
        return (total / count).to(first.dtype)
