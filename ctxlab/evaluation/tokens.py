"""Figures of single tokens over a vocabulary, from sums over documents."""

from ctxlab.evaluation.statistic import Figures, Sums, where
from ctxlab.evaluation.statistics import Counts, perplexity, ratio

NLL, TOKENS, CORRECT, SEEN, CHARACTERS, NLL_SEEN = range(6)
"""Columns of the sums."""


class Tokens(Sums):
    """Sums over the tokens of a document that are asked for.

    ``nll`` (nats), ``tokens``, ``correct`` predictions, tokens that were ``seen``, ``characters`` that the tokens
    cover, and ``nll_seen``, the nats of the tokens that were seen.
    """

    columns = ("nll", "tokens", "correct", "seen", "characters", "nll_seen")
    perplexity: str
    """Name of the figure."""

    def of(self, sums: Counts) -> Figures:
        """Loss, perplexity and accuracy, and the perplexity of what was seen where anything was."""
        return {
            "loss": ratio(sums[..., [NLL, TOKENS]]),
            self.perplexity: perplexity(sums[..., [NLL, TOKENS]]),
            "accuracy": ratio(sums[..., [CORRECT, TOKENS]]),
            f"{self.perplexity}_seen": where(sums[..., SEEN] > 0, perplexity(sums[..., [NLL_SEEN, SEEN]])),
        }
