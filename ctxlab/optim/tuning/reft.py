"""LoReFT: low-rank changes of the hidden states themselves.

Shape legend: D hidden size, R rank; h (…, D).
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ctxlab.core.architecture import decoder_layers, hidden_size, layers
from ctxlab.core.errors import UserError
from ctxlab.core.matrices import Matrix
from ctxlab.optim.tuning.adapters.adapted import Adapted, Adapter, check_options


class Intervention(Adapter):
    """h ← h + (W h + b - P h) P for the hidden states after a layer; the rows of P are orthonormal."""

    changed = ()

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.basis = torch.nn.Parameter(torch.randn(rank, width))  # (R, D), of which P is an orthonormal basis
        self.source = torch.nn.Linear(width, rank)
        with torch.no_grad():
            self.source.weight.copy_(self.projection())
        torch.nn.init.zeros_(self.source.bias)

    def projection(self) -> torch.Tensor:
        """Return P (R, D)."""
        rows: torch.Tensor = torch.linalg.qr(self.basis.T).Q.T
        return rows

    def after(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """Return the output of a layer with its hidden states (…, D) changed."""
        del module, args
        is_first = isinstance(output, tuple)
        states = output[0] if is_first else output  # (…, D)
        projection = self.projection()
        # The matrices are subtracted, not their products, which are nearly equal and rounded in bf16.
        wanted = F.linear(states, self.source.weight - projection, self.source.bias)  # (…, R)
        changed = states + F.linear(wanted, projection.T).to(states.dtype)  # (…, D)
        return (changed, *output[1:]) if is_first else changed


class Reft(Adapted):
    """Trains a change of the hidden states after each layer, within a subspace of few dimensions.

    Source: LoReFT (Wu et al. 2024, arXiv:2404.03592). Deviations: every token is changed, where the paper chooses some
    first and last ones; W starts equal to P, so that nothing changes at the start. It cannot be merged.
    """

    merges = False

    def __init__(self, rank: int, lr_scale: float, train: Sequence[str]) -> None:
        """Take the dimensions of the subspace, the factor on the learning rate, and kinds of parameters to train."""
        super().__init__("all", train, lr_scale)
        check_options(rank=rank)
        self.rank = rank

    def find(self, model: Any) -> list[Matrix]:
        """Return the layers; raises UserError if none are found, or if the rank exceeds the hidden size."""
        stack = {id(layer) for layer in (*layers(model), *decoder_layers(model))}
        if not stack:
            raise UserError(f"tuning=reft finds no layer stack in this {type(model).__name__}: use tuning=lora.")
        width = hidden_size(model)
        if self.rank > width:
            raise UserError(
                f"tuning.rank={self.rank} is above the hidden size of this {type(model).__name__}: use 1 to {width}."
            )
        return [Matrix(name, module) for name, module in model.named_modules() if id(module) in stack]

    def build(self, model: Any, found: Sequence[Matrix]) -> dict[str, torch.nn.Module]:
        """Return a change of the hidden states for each layer."""
        return {one.name: Intervention(hidden_size(model), self.rank) for one in found}
