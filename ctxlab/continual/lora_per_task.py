"""One adapter a stage on a frozen body."""

from ctxlab.core.continual import Continual, Past
from ctxlab.core.objective import Objective


class LoraPerTask(Continual):
    """Every stage trains adapters and a head of its own from the same weights, and its documents are read with these.

    Nothing is forgotten, as nothing is overwritten; in return one has to know which stage a document belongs to, and
    later stages gain nothing from earlier ones. As AdapterFusion's first step (Pfeiffer et al. 2021, arXiv:2005.00247),
    with LoRA (Hu et al. 2021, arXiv:2106.09685) unless ``tuning=`` is another rule.
    """

    tuning = "lora"

    def begins_with(self, stage: int) -> int | None:
        """Return None: all begin with the model."""
        del stage
        return None

    def scores_with(self, trained: int, scored: int) -> int:
        """Return the stage of the documents itself; the last one that was trained for those to come."""
        return min(trained, scored)

    def objective(self, given: Objective, past: Past) -> Objective:
        """Return the objective of the configuration."""
        del past
        return given
