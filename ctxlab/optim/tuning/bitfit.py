"""BitFit: only the biases of the body are trained."""

from collections.abc import Sequence
from typing import Any

from ctxlab.core.contract import option
from ctxlab.core.optim import Tuning
from ctxlab.optim.tuning.adapters.freezing import freeze_body


class Bitfit(Tuning):
    """Trains the biases of the body, and the head.

    Source: BitFit (Ben Zaken et al. 2021, arXiv:2106.10199).
    """

    shards = True

    def __init__(self, train: Sequence[str]) -> None:
        """Take the kinds of other parameters to train, see ``freeze_body``."""
        self.train = train

    def install(self, model: Any) -> None:
        """Freeze everything else of the body; raises UserError if it has no biases."""
        freeze_body(model, ["biases", *self.train], option(self))
