"""Plain training on one corpus after another."""

from ctxlab.core.continual import Continual, Past
from ctxlab.core.objective import Objective


class Naive(Continual):
    """Every stage begins with the weights of the one before, and nothing keeps these from being forgotten.

    It is what others are compared with: how much is forgotten (Lopez-Paz and Ranzato 2017, arXiv:1706.08840, call the
    comparison "single").
    """

    def objective(self, given: Objective, past: Past) -> Objective:
        """Return the objective of the configuration."""
        del past
        return given
