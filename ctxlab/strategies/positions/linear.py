"""Rotary positions squeezed into the trained range."""

from typing import Any

from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary


class Linear(Rotary):
    """Position m turns by the angle that position m / factor was trained with.

    Source: position interpolation (Chen et al. 2023, arXiv:2306.15595). As there, but that the frequencies are divided
    and not the positions, which is the same. Neighbours come closer by the factor: it wants some tuning.
    """

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """The library's linear type."""
        return {"rope_type": "linear", "factor": rope.factor}

    def angles(self, rope: Rope, length: int) -> Angles:
        """Every frequency over the factor."""
        del length
        return Angles(rope.inv_freq() / rope.factor)
