"""Embedded documents: loss and accuracy of picking the other half, alignment and uniformity."""

import numpy as np

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts


class Embeddings(Sums):
    """Of a document its ``loss``, whether the right half was ``picked``, distances ``apart`` and ``near``; and 1."""

    columns = ("loss", "picked", "apart", "near", "documents")

    def of(self, sums: Counts) -> Figures:
        """Return the means; uniformity is the logarithm of one."""
        loss, picked, apart, near = (sums[:, place] / np.maximum(sums[:, 4], 1e-300) for place in range(4))
        return {
            "contrastive_loss": loss,
            "accuracy": picked,
            "alignment": apart,
            "uniformity": np.log(np.maximum(near, 1e-300)),
        }


STATISTIC = Embeddings()
