"""Corpus BLEU from additive counts, for many resamples at once; equal to sacrebleu's (Post 2018).

Shape legend: 10 counts, which are the tokens of the text and of the reference, correct n-grams of orders 1 to 4, and
all n-grams of these orders.
"""

import math

import numpy as np

from ctxlab.evaluation.statistics import Counts

ORDER = 4
"""Longest n-gram."""


_log = np.vectorize(math.log, otypes=[np.float64])
_exp = np.vectorize(math.exp, otypes=[np.float64])
# NumPy's own functions differ in the last digit between machines, and from sacrebleu.


def bleu(sums: Counts) -> Counts:
    """Return the brevity penalty times the geometric mean of the precisions, 0 to 1; (…, 10) to (…).

    Smoothing is sacrebleu's default (``smooth:exp``; NIST's, Chen and Cherry 2014): the first order without a correct
    n-gram counts as if it had half of one, the next a quarter, and so on. The figure is 0 where no n-gram is correct,
    or the whole corpus is too short to have n-grams of every order.
    """
    written, gold = sums[..., 0], sums[..., 1]
    correct, every = np.split(sums[..., 2:], 2, axis=-1)
    halvings = 2.0 ** np.cumsum(correct == 0, axis=-1)
    above, below = np.where(correct > 0, 100 * correct, 100), np.where(correct > 0, every, halvings * every)
    precisions = np.divide(above, below, out=np.ones_like(correct), where=every > 0)
    short = np.divide(gold, written, out=np.ones_like(gold), where=written > 0)
    score: Counts = _exp(np.minimum(1 - short, 0)) * _exp(_log(precisions).sum(axis=-1) / ORDER) / 100
    return np.where((every > 0).all(axis=-1) & (correct > 0).any(axis=-1), score, 0.0)
