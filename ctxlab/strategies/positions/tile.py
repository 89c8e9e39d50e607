"""Learned positions, repeated."""

from typing import Any

import torch

from ctxlab.core.architecture import learned_tables
from ctxlab.strategies.positions.tables.learned import Learned, extended_from


class Tile(Learned):
    """Initialises position p past the trained ones with position p modulo the trained length, then trains it.

    Source: Longformer (Beltagy et al. 2020, arXiv:2004.05150), section 5: neighbouring positions keep their trained
    relation everywhere except at the boundaries between copies.
    """

    def fill(self, config: Any, rows: torch.Tensor, length: int) -> torch.Tensor:
        """Repeat the trained rows up to ``length``."""
        del config
        return _repeat(rows, length)

    @torch.no_grad()
    def grow(self, model: Any, trained: int, length: int) -> None:
        """Copy what rows up to ``trained`` have learned so far to the rows from ``trained`` to ``length``."""
        known = max(trained, extended_from(model.config) or length)
        if known >= length:
            return
        for table in learned_tables(model):
            rows = table.module.weight[table.offset :]
            rows[known:length] = _repeat(rows[:known], max(length, known))[known:length]


def _repeat(rows: torch.Tensor, length: int) -> torch.Tensor:
    return rows[torch.arange(length, device=rows.device) % len(rows)]
