"""New positions drawn at random: the control that the other methods must beat."""

from typing import Any

import torch

from ctxlab.strategies.positions.tables.learned import Learned


class Random(Learned):
    """Trained rows are kept; rows past them are drawn as the model draws its own when it is made."""

    def __init__(self, seed: int = 0) -> None:
        """Take the ``seed`` of the draw, which is independent of every other."""
        self.seed = seed

    def fill(self, config: Any, rows: torch.Tensor, length: int) -> torch.Tensor:
        """Add normal rows with the standard deviation of the model's initialisation (0.02 where it names none)."""
        deviation = float(getattr(config, "initializer_range", None) or 0.02)
        generator = torch.Generator().manual_seed(self.seed)
        new = torch.randn(length - len(rows), rows.shape[1], generator=generator) * deviation
        return torch.cat([rows, new.to(rows)])
