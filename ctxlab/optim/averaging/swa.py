"""Stochastic weight averaging."""

from collections.abc import Mapping

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.optim import Averaging
from ctxlab.optim.averaging.slots.copies import get, mix, number, set_number

SLOT, COUNT = "mean", "count"


class SWA(Averaging):
    """The equal mean of the weights after every step from ``start`` on.

    Source: Izmailov et al. 2018 (arXiv:1803.05407). Deviations: weights are taken after every step instead of once an
    epoch, as runs are often short of one; and the learning rate follows ``scheduler``, which is constant or cyclic in
    the paper. The models here have no batch normalisation, whose statistics the paper computes again.
    """

    copies = 1

    def __init__(self, start: float) -> None:
        """Take the share of the budget after which the mean begins."""
        if not 0 <= start < 1:
            raise UserError(f"averaging.start={start} is not a share of the budget: give 0 to below 1.")
        self.start = start

    def update(
        self, seen: dict[str, torch.Tensor], weights: Mapping[str, torch.Tensor], before: float, now: float
    ) -> None:
        """Add the weights to the mean, once it has begun."""
        if now < self.start:
            return
        count = number(seen, COUNT) + 1
        mix(seen, SLOT, weights, 1 / count)
        set_number(seen, COUNT, count)

    def mean(self, seen: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return the mean; empty before it begins."""
        return get(seen, SLOT)
