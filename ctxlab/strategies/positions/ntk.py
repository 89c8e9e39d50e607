"""Rotary positions on a raised base."""

from typing import Any

from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary


class Ntk(Rotary):
    """The slowest frequency is stretched by the factor, the fastest not at all, those between by degrees.

    Source: NTK-aware scaling (bloc97 2023, a public note; written down in Peng et al. 2023, arXiv:2309.00071, section
    3.1): base · factor^(D / (D - 2)). The library has no such type: the saved config holds the raised ``rope_theta``.
    """

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """The raised base alone."""
        return {"rope_theta": rope.theta * rope.factor ** (rope.dim / (rope.dim - 2))}

    def angles(self, rope: Rope, length: int) -> Angles:
        """Frequency i over factor^(2i / (D - 2))."""
        del length
        return Angles(rope.inv_freq() / rope.factor ** rope.spread())
