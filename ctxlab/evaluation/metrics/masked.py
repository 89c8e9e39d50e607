"""Masked-token prediction: loss, pseudo-perplexity and accuracy over whole documents.

Pseudo-perplexity is exp of the mean negative log likelihood of the masked tokens, all masked at once. That is not the
pseudo-perplexity of Salazar et al. 2020 (arXiv:1910.14659), which masks one token at a time, and is comparable only
between runs with the same masks. Tokens that were not read are charged as in ``language``.
"""

from collections.abc import Sequence

from ctxlab.core.types import Document, Prediction, Scores
from ctxlab.evaluation.metrics.language import Names, score_tokens


def score(documents: Sequence[Document], predictions: Sequence[Prediction]) -> Scores:
    """Compute loss, pseudo-perplexity and accuracy over masked tokens, with breakdowns; unread tokens are charged."""
    return score_tokens(documents, predictions, Names("pseudo_perplexity", "masked tokens", "masked_tokens"))
