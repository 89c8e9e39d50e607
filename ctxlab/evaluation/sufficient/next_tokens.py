"""Likelihood of each next token of a document: loss, perplexity, accuracy and bits per character."""

import numpy as np

from ctxlab.evaluation.statistic import Figures
from ctxlab.evaluation.statistics import Counts, ratio
from ctxlab.evaluation.tokens import CHARACTERS, NLL, Tokens


class NextTokens(Tokens):
    """Values as in ``evaluation.tokens``."""

    perplexity = "perplexity"

    def of(self, sums: Counts) -> Figures:
        """Compute the figures of ``Tokens``, and bits per character."""
        return {**super().of(sums), "bits_per_character": bits_per_character(sums)}


def bits_per_character(sums: Counts) -> Counts:
    """Return bits divided by the characters that the tokens cover; (…, 6) to (…)."""
    return ratio(sums[..., [NLL, CHARACTERS]] / (np.log(2), 1))


STATISTIC = NextTokens()
