"""The population stability index of two samples in bins, and the limit that it exceeds by chance."""

from functools import lru_cache

import numpy as np

from ctxlab.core.types import DoubleArray

HALF = 0.5
"""Added to every bin, so that an empty one has a logarithm (Jeffreys)."""

DRAWS = 20_000
"""Samples from which a limit is taken."""


def stability(usual: DoubleArray, recent: DoubleArray) -> DoubleArray:
    """Return Σ (q − p) ln(q / p) over the bins of the last axis, from counts."""
    p = (usual + HALF) / (usual + HALF).sum(axis=-1, keepdims=True)
    q = (recent + HALF) / (recent + HALF).sum(axis=-1, keepdims=True)
    found: DoubleArray = ((q - p) * np.log(q / p)).sum(axis=-1)
    return found


@lru_cache(64)
def limit_for(usual: tuple[float, ...], recent: int, probability: float) -> float:
    """Return what the index of ``recent`` documents exceeds with a probability where nothing has changed.

    Both samples are drawn from the shares of the reference, as it is itself a sample; the draws are always the same.

    Args:
        usual: Documents of the reference in each bin.
        recent: Documents compared with them.
        probability: Of an index above the limit.
    """
    random = np.random.default_rng(0)
    counts = np.asarray(usual)
    shares = (counts + HALF) / (counts + HALF).sum()
    one = random.multinomial(int(counts.sum()), shares, DRAWS).astype(np.float64)
    other = random.multinomial(recent, shares, DRAWS).astype(np.float64)
    return float(np.quantile(stability(one, other), 1 - probability))
