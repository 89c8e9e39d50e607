"""No sequence: a single corpus."""

from ctxlab.core.continual import Continual, Past
from ctxlab.core.objective import Objective


class NoSequence(Continual):
    """The default: one training run on one corpus."""

    in_sequence = False

    def objective(self, given: Objective, past: Past) -> Objective:
        """Return the objective of the configuration."""
        del past
        return given
