"""Figures of token prediction, from sums over documents."""

from ctxlab.evaluation.statistic import Figures, Sums, where
from ctxlab.evaluation.statistics import Counts, perplexity, ratio

NLL, TOKENS, CORRECT, SEEN, CHARACTERS, NLL_SEEN = range(6)
"""Columns of the sums."""


class Tokens(Sums):
    """Values: sums over the predicted tokens of a document.

    These are ``nll`` (nats), ``tokens``, ``correct`` predictions, tokens that were ``seen``, ``characters`` that the
    tokens cover, and ``nll_seen``, the nats of the tokens that were seen.
    """

    columns = ("nll", "tokens", "correct", "seen", "characters", "nll_seen")
    perplexity: str
    """Name of the figure."""

    def of(self, sums: Counts) -> Figures:
        """Compute loss, perplexity and accuracy, and the perplexity of the seen tokens (NaN where there is none)."""
        return {
            "loss": ratio(sums[..., [NLL, TOKENS]]),
            self.perplexity: perplexity(sums[..., [NLL, TOKENS]]),
            "accuracy": ratio(sums[..., [CORRECT, TOKENS]]),
            f"{self.perplexity}_seen": where(sums[..., SEEN] > 0, perplexity(sums[..., [NLL_SEEN, SEEN]])),
        }
