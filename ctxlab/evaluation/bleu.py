"""BLEU from counts that add up, of many resamples at once: sacrebleu's figure of a corpus (Post 2018).

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
# NumPy's own differ in the last digit from machine to machine, and from sacrebleu.


def bleu(sums: Counts) -> Counts:
    """Brevity penalty times the geometric mean of the precisions, 0 to 1; 0 where an order has none; (…, 10) to (…)."""
    written, gold = sums[..., 0], sums[..., 1]
    correct, every = np.split(sums[..., 2:], 2, axis=-1)
    known = (correct > 0) & (every > 0)
    precisions = np.divide(100 * correct, every, out=np.ones_like(correct), where=known)
    short = np.divide(gold, written, out=np.ones_like(gold), where=written > 0)
    score: Counts = _exp(np.minimum(1 - short, 0)) * _exp(_log(precisions).sum(axis=-1) / ORDER) / 100
    return np.where(known.all(axis=-1), score, 0.0)
