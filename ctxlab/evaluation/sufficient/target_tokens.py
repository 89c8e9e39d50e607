"""Perplexity of gold texts, from their tokens' log likelihood."""

from ctxlab.evaluation.statistic import Figures, Sums
from ctxlab.evaluation.statistics import Counts, perplexity


class TargetTokens(Sums):
    """Values: ``nll`` (nats) of the gold text and its number of ``tokens``, 0 where nothing was read."""

    columns = ("nll", "tokens")

    def of(self, sums: Counts) -> Figures:
        """Compute exp of the mean negative log likelihood per token."""
        return {"perplexity": perplexity(sums)}


STATISTIC = TargetTokens()
