"""No average."""

from collections.abc import Mapping

import torch

from ctxlab.core.optim import Averaging


class NoAveraging(Averaging):
    """Evaluates and exports the weights as they are."""

    def update(
        self, seen: dict[str, torch.Tensor], weights: Mapping[str, torch.Tensor], before: float, now: float
    ) -> None:
        """Do nothing."""

    def mean(self, seen: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return no weights."""
        return {}
