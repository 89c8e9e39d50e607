"""Likelihood of the masked tokens of a document: loss, pseudo-perplexity and accuracy."""

from ctxlab.evaluation.tokens import Tokens


class MaskedTokens(Tokens):
    """As ``evaluation.tokens`` has it."""

    perplexity = "pseudo_perplexity"


STATISTIC = MaskedTokens()
