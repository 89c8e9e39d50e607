"""Exponential moving average of the weights."""

from collections.abc import Mapping

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.optim import Averaging
from ctxlab.optim.averaging.slots.copies import get, mix, number, set_number

SLOT, MASS = "mean", "mass"


class EMA(Averaging):
    """Weights of a step count half as much after every ``half_life`` of the budget.

    Source: Polyak and Juditsky 1992; as a running mean of a network's weights Tarvainen and Valpola 2017
    (arXiv:1703.01780). Deviations: the decay of a step is 0.5 to the power of the share of the budget that the step
    spent, over the half-life, so that it does not depend on the length of a run or of a step; and the mean begins with
    the weights after the first step, its weights summing to 1 from then on, instead of the initial weights.
    """

    copies = 1

    def __init__(self, half_life: float) -> None:
        """Take the half-life as a share of the budget."""
        if not half_life > 0:
            raise UserError(f"averaging.half_life={half_life} is no share of the budget: give a number above 0.")
        self.half_life = half_life

    def update(
        self, seen: dict[str, torch.Tensor], weights: Mapping[str, torch.Tensor], before: float, now: float
    ) -> None:
        """Let what was seen decay, and add the weights."""
        decay = 0.5 ** ((now - before) / self.half_life)
        mass = decay * number(seen, MASS) + (1 - decay)
        mix(seen, SLOT, weights, (1 - decay) / mass if mass else 1.0)
        set_number(seen, MASS, mass)

    def mean(self, seen: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return the running mean."""
        return get(seen, SLOT)
