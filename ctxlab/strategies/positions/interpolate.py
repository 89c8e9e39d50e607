"""Learned positions, stretched."""

from typing import Any

import torch

from ctxlab.strategies.positions.table import Learned, lengthen


class Interpolate(Learned):
    """The trained table stretched to the new length, linearly between neighbouring rows.

    Source: the idea of position interpolation (Chen et al. 2023, arXiv:2306.15595). Deviation: theirs scales rotary
    angles; here the rows of a learned table are interpolated, first on first and last on last.
    """

    def extend(self, model: Any, length: int) -> None:
        """Stretch the trained rows to ``length``."""
        lengthen(model, length, _stretch, "interpolate")


def _stretch(rows: torch.Tensor, length: int) -> torch.Tensor:
    place = torch.arange(length, dtype=torch.float64, device=rows.device) * (len(rows) - 1) / (length - 1)
    below = place.long().clamp(max=max(len(rows) - 2, 0))
    above = (below + 1).clamp(max=len(rows) - 1)
    return torch.lerp(rows[below].double(), rows[above].double(), (place - below)[:, None]).to(rows.dtype)
