"""What the loss would change if units of a layer were removed: the first term of its Taylor series.

Shape legend: B windows, W tokens, U units, D outputs of a unit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch


def importance(outputs: Sequence[torch.nn.Module], width: int, read: Callable[[bool], None]) -> list[torch.Tensor]:
    """Return (U,) for each projection the importance of the units whose outputs it takes.

    Sources: Molchanov et al. 2017 (arXiv:1611.06440), and for heads Michel et al. 2019 (arXiv:1905.10650): the sum
    over windows of |Σ x · ∂loss/∂x|, x the outputs of a unit at all tokens of the window. Deviation: losses of a pass
    are divided by its labels, so that a pass of few labels counts as much as others.

    Args:
        outputs: Projections from units, one a layer; its inputs are (B, W, U · D).
        width: Outputs of a unit, D.
        read: Runs the model with gradients; see ``core.compression.Subject``.
    """
    sums = [torch.zeros(()) for _ in outputs]

    def keep(place: int) -> Callable[[Any, Any], None]:
        def before(_: Any, given: tuple[torch.Tensor, ...]) -> None:
            units = given[0]
            if units.requires_grad:
                units.register_hook(lambda gradient: add(place, units.detach() * gradient))

        return before

    def add(place: int, products: torch.Tensor) -> None:
        by_unit = products.float().unflatten(-1, (-1, width)).sum(-1).flatten(1, -2).sum(1)  # (B, U)
        sums[place] = sums[place] + by_unit.abs().sum(0)

    hooks = [module.register_forward_pre_hook(keep(place)) for place, module in enumerate(outputs)]
    try:
        read(True)
    finally:
        for hook in hooks:
            hook.remove()
    return sums
