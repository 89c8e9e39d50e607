"""Lengths of documents and what fits a context, counted by hand."""

import numpy as np

from ctxlab.comparison.profile import profile
from ctxlab.core.types import NO_LABEL, Encoded


def document(*labels: int) -> Encoded:
    """One token a label, with two special tokens around."""
    num = len(labels)
    return Encoded(np.arange(num), np.arange(num), np.asarray(labels, np.int64), before=(1,), after=(2,))


def test_shares_are_those_of_the_first_tokens_that_fit_beside_the_special_ones():
    """Of 4, 6 and 10 tokens, a context of 8 leaves room for 6: two documents, 16 of 20 tokens, 3 of 4 gold labels."""
    documents = [
        document(0, 1, 0, NO_LABEL),
        document(0, 0, 0, 0, 0, 2),
        document(0, 0, 0, 0, 0, 3, 3, 0, 0, 0),
    ]
    found = profile(documents, [8, 12], outside=0)
    assert (found.median, found.ninety_percent, found.longest, found.num_documents) == (6, 10, 10, 3)
    short, long = found.fits
    assert (short.documents, short.tokens, short.gold) == (2 / 3, 16 / 20, 3 / 4)
    assert (long.documents, long.tokens, long.gold) == (1, 1, 1)
    assert found.sentence == "3 documents: half have up to 6 tokens, 90 % up to 10, the longest has 10."


def test_tokens_without_labels_leave_the_share_of_gold_open():
    (fit,) = profile([document(NO_LABEL, NO_LABEL)], [16]).fits
    assert fit.gold is None
