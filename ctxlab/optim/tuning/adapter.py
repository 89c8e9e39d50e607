"""Bottleneck adapters: a small network after each layer's feed-forward part.

Shape legend: I inputs and O outputs of the matrix that an adapter follows, S its size.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix, feed_forward_matrices
from ctxlab.optim.tuning.adapters.adapted import Adapted, check_options
from ctxlab.optim.tuning.adapters.adapted import Adapter as BaseAdapter


class Bottleneck(BaseAdapter):
    """y ← y + U relu(D y + d) + u; U and u start at zero, so that nothing changes at the start."""

    changed = ()

    def __init__(self, matrix: Matrix, size: int) -> None:
        super().__init__()
        self.down = torch.nn.Linear(matrix.out_features, size)
        self.up = torch.nn.Linear(size, matrix.out_features)
        torch.nn.init.zeros_(self.up.weight)
        torch.nn.init.zeros_(self.up.bias)

    def after(self, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        """Return the output (…, O) of the feed-forward part and what its small network adds."""
        del module, args
        added: torch.Tensor = self.up(F.relu(self.down(output)))
        return output + added


class Adapter(Adapted):
    """Trains a small network after the feed-forward part of each layer, before it is added to the layer's input.

    Source: Houlsby et al. 2019 (arXiv:1902.00751), with one adapter for each layer as in Pfeiffer et al. 2020
    (arXiv:2005.00247). Deviation: the outer matrix starts at zero instead of near it. It cannot be merged.
    """

    merges = False

    def __init__(self, size: int, lr_scale: float, train: Sequence[str]) -> None:
        """Take the inner width, the factor on the learning rate, and kinds of other parameters to train."""
        super().__init__("all", train, lr_scale)
        check_options(size=size)
        self.size = size

    def find(self, model: Any) -> list[Matrix]:
        """Return the last matrix of each layer; raises UserError if no layers are found."""
        found = feed_forward_matrices(model)
        if not found:
            raise UserError(f"tuning=adapter finds no layer stack in this {type(model).__name__}: use tuning=lora.")
        return found

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return a small network for each layer."""
        del model
        return {one.name: Bottleneck(one, self.size) for one in found}
