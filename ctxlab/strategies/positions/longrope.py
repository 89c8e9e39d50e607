"""Rotary positions scaled by one factor per frequency."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary


class Longrope(Rotary):
    """Divides every frequency by its own factor, found by a search on the model, and sharpens attention.

    Source: LongRoPE (Ding et al. 2024, arXiv:2402.13753). Cosines and sines are multiplied by √(1 + ln s / ln T) for
    the scaling factor s and T trained tokens. Deviations: no search is run: without ``long_factor``, the factors are
    s^(2i / (D - 2)), the NTK-aware ones, which are among the starting points of the paper's search; the first tokens
    are scaled like all others. Without ``short_factor``, short windows use the long factors too, so that outputs do not
    depend on the other windows of a batch.
    """

    grows = False

    def __init__(
        self,
        factor: float | None = None,
        long_factor: Sequence[float] | None = None,
        short_factor: Sequence[float] | None = None,
    ) -> None:
        """Take the overall factor, D / 2 factors for windows past the trained length, and D / 2 for shorter ones."""
        super().__init__(factor)
        self.long_factor = _checked("long_factor", long_factor)
        self.short_factor = _checked("short_factor", short_factor)
        self.by_batch = short_factor is not None

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """Return the parameters of the library's type ``longrope``."""
        return {"rope_type": "longrope", "factor": rope.factor, "original_max_position_embeddings": rope.trained,
                "long_factor": self._long(rope), "short_factor": self._short(rope)}  # fmt: skip

    def angles(self, rope: Rope, length: int) -> Angles:
        """Divide every frequency by its own factor."""
        factors = self._long(rope) if length > rope.trained else self._short(rope)
        scaling = math.sqrt(1 + math.log(rope.factor) / math.log(rope.trained))
        return Angles(rope.inv_freq() / torch.tensor(factors, dtype=torch.float64), scaling)

    def _long(self, rope: Rope) -> list[float]:
        spread: list[float] = (rope.factor ** rope.spread()).tolist()
        return spread if self.long_factor is None else _fitting("long_factor", self.long_factor, rope)

    def _short(self, rope: Rope) -> list[float]:
        return self._long(rope) if self.short_factor is None else _fitting("short_factor", self.short_factor, rope)


def _checked(name: str, factors: Sequence[float] | None) -> list[float] | None:
    if factors is None:
        return None
    for factor in factors:
        if not 1 <= factor < math.inf:
            raise UserError(f"strategy.positions.{name} has the factor {factor}: give finite numbers of at least 1.")
    return [float(factor) for factor in factors]


def _fitting(name: str, factors: list[float], rope: Rope) -> list[float]:
    if len(factors) != rope.dim // 2:
        raise UserError(
            f"strategy.positions.{name} has {len(factors)} factors and the model {rope.dim // 2} rotary frequencies: "
            "give one factor per frequency, or null."
        )
    return factors
