"""Learned positions, stretched."""

from typing import Any

import torch

from ctxlab.strategies.positions.tables.learned import Learned


class Interpolate(Learned):
    """The trained table stretched to the new length, linearly between neighbouring rows.

    Source: the idea of position interpolation (Chen et al. 2023, arXiv:2306.15595). Deviation: theirs scales rotary
    angles; here the rows of a learned table are interpolated, first on first and last on last.
    """

    def fill(self, config: Any, rows: torch.Tensor, length: int) -> torch.Tensor:
        """Stretch the trained rows."""
        del config
        return _stretch(rows, length)

    def declared(self, config: Any, rows: torch.Tensor, trained: int) -> torch.Tensor:
        """The nearest table that is a stretch of some ``trained`` rows, as those of the model are gone."""
        del config
        stretch = _stretch(torch.eye(trained, dtype=torch.float64, device=rows.device), len(rows))
        knots: torch.Tensor = torch.linalg.lstsq(stretch, rows.double()).solution
        return (stretch @ knots).to(rows)


def _stretch(rows: torch.Tensor, length: int) -> torch.Tensor:
    place = torch.arange(length, dtype=torch.float64, device=rows.device) * (len(rows) - 1) / (length - 1)
    below = place.long().clamp(max=max(len(rows) - 2, 0))
    above = (below + 1).clamp(max=len(rows) - 1)
    return torch.lerp(rows[below].double(), rows[above].double(), (place - below)[:, None]).to(rows.dtype)
