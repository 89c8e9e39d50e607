"""Learned positions with new rows drawn at random: a control that other methods must beat."""

from typing import Any

import torch

from ctxlab.strategies.positions.tables.learned import Learned


class Random(Learned):
    """Keeps trained rows, and draws new rows from the distribution of the model's own initialisation."""

    def __init__(self, seed: int = 0) -> None:
        """Take the ``seed`` of the draw, which is independent of all other random numbers."""
        self.seed = seed

    def fill(self, config: Any, rows: torch.Tensor, length: int) -> torch.Tensor:
        """Append normal rows with the standard deviation of the model's initialisation (0.02 where it has none)."""
        deviation = float(getattr(config, "initializer_range", None) or 0.02)
        generator = torch.Generator().manual_seed(self.seed)
        new = torch.randn(length - len(rows), rows.shape[1], generator=generator) * deviation
        return torch.cat([rows, new.to(rows)])
