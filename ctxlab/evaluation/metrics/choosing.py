"""How well one right candidate is found among others: MRR and recall at 1, 2 and 5.

The figures of response selection (Lowe et al. 2015, arXiv:1506.08909), as ``metrics.ranking`` defines them.
"""

from collections.abc import Sequence

from ctxlab.core.types import Document, Prediction, Scores
from ctxlab.evaluation.metrics.ranking import MRR, recall_at, scored

FIGURES = (MRR, recall_at(1), recall_at(2), recall_at(5))
"""Of task=dialogue; breakdowns have the first."""


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Figures over all turns that were asked for, see ``ranking.scored``."""
    return scored(documents, predictions, FIGURES)
