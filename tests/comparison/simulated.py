"""Counts of entities of candidates that do not differ, or differ by a known amount.

Documents are uneven and have a difficulty that all candidates share. Every candidate has an effect of its own on each
document, every seed one on all documents, and every seed and document one of their own, all of them without bias.
"""

import numpy as np

from ctxlab.comparison.compare import Contender
from ctxlab.comparison.scored import CountScores
from ctxlab.evaluation.statistics import f1


def ratio(sums):
    return sums[..., 0] / sums[..., 1]


def rates(generator, shape, *, between_seeds, between_documents, rest):
    """(C, S, N) effects of candidates, seeds and documents."""
    candidates, seeds, documents = shape
    effects = between_documents * generator.normal(size=(candidates, 1, documents))
    effects = effects + between_seeds * generator.normal(size=(candidates, seeds, 1))
    return effects + rest * generator.normal(size=shape)


def entities(generator, shape, **spread):
    """(C, S, N, 3) counts of right, predicted and gold entities."""
    gold = np.ceil(generator.lognormal(3.0, 0.5, shape[-1])).astype(int)
    rate = np.clip(0.6 + 0.1 * generator.normal(size=shape[-1]) + rates(generator, shape, **spread), 0.05, 0.95)
    right = generator.binomial(gold, rate)
    return np.stack([right, right + generator.binomial(gold, 0.3, shape), np.broadcast_to(gold, shape)], -1).astype(
        float
    )


def contenders(counts, figure=f1):
    """One a candidate, called a, b, c, …; the first is the baseline."""
    return [Contender(chr(ord("a") + index), CountScores(one, figure)) for index, one in enumerate(counts)]


def means(values):
    """A candidate whose figure is the mean of ``values`` (S, N)."""
    values = np.asarray(values, dtype=float)
    return CountScores(np.stack([values, np.ones_like(values)], axis=-1), ratio)
