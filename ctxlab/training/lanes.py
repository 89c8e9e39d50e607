"""The passes of a step in lanes, whose gradients are summed apart and then together.

A lane is computed by one process from beginning to end. So the number of lanes decides about the last bits of a sum,
not the number of processes: two lanes give the same weights on one process and on two.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
import torch

from ctxlab.core.errors import UserError
from ctxlab.runtime.ranks import Ranks
from ctxlab.runtime.sharing import share as share


@dataclass(slots=True)
class Sums:
    """What the passes of a lane come to."""

    loss: float = 0.0
    weight: float = 0.0
    tokens: float = 0.0
    padded_tokens: float = 0.0
    flops: float = 0.0


FIGURES = len(astuple(Sums()))


def count(lanes: int | None, processes: int) -> int:
    """Return the number of lanes: as many as processes, unless ``lanes`` says otherwise.

    Raises:
        UserError: They cannot be dealt equally.
    """
    if lanes is None:
        return processes
    if lanes % processes:
        raise UserError(
            f"trainer.lanes={lanes} cannot be dealt equally to {processes} processes: use a multiple of {processes}."
        )
    return lanes


class Gradients:
    """The gradients of several lanes; a parameter that no lane has used keeps none."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        self._parameters = parameters
        self._sum: torch.Tensor | None = None

    def add_lane(self) -> None:
        """Add the gradients of the parameters, and remove them there."""
        flat = torch.cat(
            [
                torch.zeros(p.numel(), dtype=p.dtype, device=p.device) if p.grad is None else p.grad.flatten()
                for p in self._parameters
            ]
            + [torch.tensor([p.grad is not None for p in self._parameters]).to(self._parameters[0])]
        )
        self._sum = flat if self._sum is None else self._sum + flat
        for parameter in self._parameters:
            parameter.grad = None

    def share(self, ranks: Ranks) -> None:
        """Give every parameter the sum of its gradients over all lanes of all processes."""
        assert self._sum is not None
        ranks.add(self._sum)
        used = self._sum[-len(self._parameters) :].tolist()
        start = 0
        for parameter, is_used in zip(self._parameters, used, strict=True):
            end = start + parameter.numel()
            parameter.grad = self._sum[start:end].view_as(parameter).to(parameter.dtype) if is_used else None
            start = end


def total(rows: npt.NDArray[np.float64]) -> Sums:
    """Return the sums over the lanes (lanes, figures), added in their order."""
    found = Sums()
    for row in rows.tolist():
        found = Sums(*(own + more for own, more in zip(astuple(found), row, strict=True)))
    return found
