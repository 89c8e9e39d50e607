"""Only the normalisations of the body are trained."""

from collections.abc import Sequence
from typing import Any

from ctxlab.core.contract import option
from ctxlab.core.optim import Tuning
from ctxlab.optim.tuning.adapters.freezing import freeze_body


class Norms(Tuning):
    """Trains gains and offsets of the normalisations of the body, and the head.

    Source: Zhao et al. 2023, Tuning LayerNorm in Attention (arXiv:2312.11420), there for attention models of images and
    text.
    """

    shards = True

    def __init__(self, train: Sequence[str]) -> None:
        """Take the kinds of other parameters to train, see ``freeze_body``."""
        self.train = train

    def install(self, model: Any) -> None:
        """Freeze everything else of the body; raises UserError if it has no normalisations."""
        freeze_body(model, ["norms", *self.train], option(self))
