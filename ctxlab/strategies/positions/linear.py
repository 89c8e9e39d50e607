"""Rotary positions, linearly interpolated into the trained range."""

from typing import Any

from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary


class Linear(Rotary):
    """Rotates position m by the angle that position m / factor was trained with.

    Source: position interpolation (Chen et al. 2023, arXiv:2306.15595). As there, except that frequencies are divided
    instead of positions, which is equivalent. Neighbouring positions become closer by the factor: some fine-tuning is
    needed.
    """

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """Return the parameters of the library's type ``linear``."""
        return {"rope_type": "linear", "factor": rope.factor}

    def angles(self, rope: Rope, length: int) -> Angles:
        """Divide every frequency by the factor."""
        del length
        return Angles(rope.inv_freq() / rope.factor)
