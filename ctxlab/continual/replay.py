"""Replay: some documents of earlier corpora are trained on again."""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.continual import Continual, Past, earlier
from ctxlab.core.errors import UserError
from ctxlab.core.objective import Objective
from ctxlab.core.types import Document


class Replay(Continual):
    """Every stage has a share of the documents of each earlier one among its own.

    Source: experience replay as in Chaudhry et al. 2019, arXiv:1902.10486. Deviations: whole documents are kept, drawn
    once by seed and the same in all later stages, not by reservoir; they are mixed into the epoch rather than added to
    every batch, so that an epoch is longer.
    """

    def __init__(self, share: float) -> None:
        """Set the share.

        Args:
            share: Fraction of the documents of each earlier stage, above 0 and up to 1; at least one document.

        Raises:
            UserError: It is out of range.
        """
        if not 0 < share <= 1:
            raise UserError(
                f"continual.share={share} is out of range: give a fraction above 0 and up to 1, such as 0.2."
            )
        self.share = share

    def objective(self, given: Objective, past: Past) -> Objective:
        """Return the objective of the configuration."""
        del past
        return given

    def documents(self, stage: int, corpora: Sequence[Sequence[Document]], seed: int) -> list[Document]:
        """Return the documents of the stage, then those kept of the first stage, the second, and so on."""
        kept = [earlier(one, past) for past in range(stage) for one in self._kept(past, corpora[past], seed)]
        return [*corpora[stage], *kept]

    def _kept(self, stage: int, documents: Sequence[Document], seed: int) -> list[Document]:
        count = max(1, round(self.share * len(documents)))
        drawn = np.random.default_rng((seed, stage, len(documents))).permutation(len(documents))[:count]
        return [documents[index] for index in sorted(drawn)]
