"""Learned positions, interpolated to a longer table."""

from typing import Any

import torch

from ctxlab.strategies.positions.tables.learned import Learned


class Interpolate(Learned):
    """Interpolates the trained table to the new length, linearly between neighbouring rows.

    Source: the idea of position interpolation (Chen et al. 2023, arXiv:2306.15595). Deviation: theirs scales rotary
    angles; here the rows of a learned table are interpolated so that the first and last rows stay the ends.
    """

    def fill(self, config: Any, rows: torch.Tensor, length: int) -> torch.Tensor:
        """Interpolate the trained rows to ``length`` rows."""
        del config
        return _interpolate(rows, length)

    def declared(self, config: Any, rows: torch.Tensor, trained: int) -> torch.Tensor:
        """Return the nearest table (least squares) that interpolates ``trained`` rows, as the originals are lost."""
        del config
        weights = _interpolate(torch.eye(trained, dtype=torch.float64, device=rows.device), len(rows))  # (N, P)
        knots: torch.Tensor = torch.linalg.lstsq(weights, rows.double()).solution  # (P, D)
        return (weights @ knots).to(rows)


def _interpolate(rows: torch.Tensor, length: int) -> torch.Tensor:
    """Interpolate rows (P, D) to (length, D)."""
    place = torch.arange(length, dtype=torch.float64, device=rows.device) * (len(rows) - 1) / (length - 1)
    below = place.long().clamp(max=max(len(rows) - 2, 0))
    above = (below + 1).clamp(max=len(rows) - 1)
    return torch.lerp(rows[below].double(), rows[above].double(), (place - below)[:, None]).to(rows.dtype)
