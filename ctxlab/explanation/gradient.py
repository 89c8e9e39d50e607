"""Gradient × input: how much the score would change with each token's embedding, to first order."""

import numpy as np

from ctxlab.core.explanation import GRADIENT, TOKEN, ZERO, Attribution, Explanation, Subject, Target
from ctxlab.explanation.attributing.limits import checked_baseline


class Gradient(Explanation):
    """The gradient of the score by the embedding of each token, times the embedding.

    Source: Shrikumar et al. 2017 (arXiv:1605.01713), which calls it gradient × input; one forward and one backward
    pass. With ``baseline=mask`` it is gradient × (input − embedding of the mask token), the first-order estimate of
    what hiding the token does.
    """

    needs, completes, by_answer = GRADIENT, False, True

    def __init__(self, baseline: str = ZERO) -> None:
        """Take what the embeddings are relative to: ``zero`` or ``mask``."""
        self.baseline = checked_baseline(baseline)

    def attribute(self, subject: Subject, target: Target) -> Attribution:
        """Return a value for each token; one pass of any document that the strategy reads."""
        path = subject.path(target, np.ones(1), self.baseline)
        values = np.array([path.products[0, tokens].sum() for tokens in subject.units[TOKEN]])
        return Attribution(TOKEN, values, score=float(path.scores[0]), added=float(path.added[0]))
