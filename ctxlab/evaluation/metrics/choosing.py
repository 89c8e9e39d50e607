"""Selection of the true response among candidates: MRR and recall at 1, 2 and 5.

These are the figures of response selection (Lowe et al. 2015, arXiv:1506.08909), as ``metrics.ranking`` defines them.
"""

from collections.abc import Sequence

from ctxlab.core.types import Document, Prediction, Scores
from ctxlab.evaluation.metrics.ranking import scored
from ctxlab.evaluation.sufficient import response_ranks


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute the figures over all predicted turns; see ``ranking.scored``."""
    return scored(documents, predictions, "response_ranks", response_ranks.STATISTIC)
