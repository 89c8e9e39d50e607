"""Rotary positions with a raised base."""

from typing import Any

from ctxlab.strategies.positions.tables.rotary import Angles, Rope, Rotary


class Ntk(Rotary):
    """Divides the slowest frequency by the factor, the fastest not at all, and those between gradually.

    Source: NTK-aware scaling (bloc97 2023, a public note; described in Peng et al. 2023, arXiv:2309.00071, section
    3.1): base · factor^(D / (D - 2)). The library has no such type: the saved config has the raised ``rope_theta``.
    """

    def parameters(self, rope: Rope) -> dict[str, Any]:
        """Return the raised base."""
        return {"rope_theta": rope.theta * rope.factor ** (rope.dim / (rope.dim - 2))}

    def angles(self, rope: Rope, length: int) -> Angles:
        """Divide frequency i by factor^(2i / (D - 2))."""
        del length
        return Angles(rope.inv_freq() / rope.factor ** rope.spread())
