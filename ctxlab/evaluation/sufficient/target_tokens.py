"""Perplexity of the records' own texts, from the tokens that the model was asked for."""

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, perplexity


class TargetTokens(Sums):
    """``nll`` (nats) of the gold text and its number of ``tokens``, 0 where nothing was read."""

    columns = ("nll", "tokens")

    def of(self, sums: Counts) -> Figures:
        """e to the mean negative log likelihood of a token."""
        return {"perplexity": perplexity(sums)}


STATISTIC = TargetTokens()
