"""Likelihood of the masked tokens of a document: loss, pseudo-perplexity and accuracy."""

from ctxlab.evaluation.tokens import Tokens


class MaskedTokens(Tokens):
    """Values as in ``evaluation.tokens``."""

    perplexity = "pseudo_perplexity"


STATISTIC = MaskedTokens()
