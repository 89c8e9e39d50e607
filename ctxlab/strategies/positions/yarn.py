"""Rotary positions with slow frequencies interpolated, fast ones kept, and sharper attention."""

import math
from typing import Any

import torch

from ctxlab.core.errors import UserError
from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary


class Yarn(Rotary):
    """Keeps frequencies with many turns within the trained length, and interpolates those with less than one turn.

    Source: YaRN (Peng et al. 2023, arXiv:2309.00071). Cosines and sines are multiplied by 0.1·ln(factor) + 1.
    Deviation from the text, as in the authors' code and the library: the ramp between kept and interpolated
    frequencies is linear in their index, between integer indices, instead of in the number of turns.
    """

    def __init__(self, factor: float | None = None, beta_fast: float = 32.0, beta_slow: float = 1.0) -> None:
        """Take the turns in the trained length above which a frequency is kept, and below which it is interpolated."""
        super().__init__(factor)
        if not 0 < beta_slow < beta_fast < math.inf:
            raise UserError(
                f"strategy.positions.beta_fast={beta_fast} must be above beta_slow={beta_slow}, and both above 0; "
                "the paper uses 32 and 1."
            )
        self.beta_fast, self.beta_slow = beta_fast, beta_slow

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """Return the parameters of the library's type ``yarn``."""
        return {"rope_type": "yarn", "factor": rope.factor, "original_max_position_embeddings": rope.trained,
                "beta_fast": self.beta_fast, "beta_slow": self.beta_slow}  # fmt: skip

    def angles(self, rope: Rope, length: int) -> Angles:
        """Blend between each frequency and the frequency divided by the factor, by a ramp over the indices."""
        del length
        first = max(math.floor(self._index(rope, self.beta_fast)), 0)
        last = min(math.ceil(self._index(rope, self.beta_slow)), rope.dim - 1)
        steps = torch.arange(rope.dim // 2, dtype=torch.float64) - first
        ramp = (steps / (last - first if last != first else 0.001)).clamp(0, 1)
        return Angles(rope.inv_freq() * (1 - ramp * (1 - 1 / rope.factor)), 0.1 * math.log(rope.factor) + 1)

    def _index(self, rope: Rope, turns: float) -> float:
        """Return the index of the frequency with ``turns`` in the trained length: T·theta^(-2i/D) = 2π·turns."""
        return rope.dim / 2 * math.log(rope.trained / (2 * math.pi * turns)) / math.log(rope.theta)
