"""How unsure a model is of a document.

Shape legend: N distributions of a document (its words, or itself), C alternatives.
"""

import hashlib

import numpy as np

from ctxlab.core.types import DoubleArray

TINY = 1e-12
"""Lowest probability whose logarithm is taken."""


def entropy(rows: DoubleArray) -> float:
    """Return the mean entropy (nats) of rows (N, C); 0 without rows.

    The mean, not the sum, so that a document's uncertainty is that of each word which a reviewer reads: the sum prefers
    long documents (Settles & Craven 2008).
    """
    if not len(rows):
        return 0.0
    return float(-(rows * np.log(np.maximum(rows, TINY))).sum(axis=1).mean())


def margin(rows: DoubleArray) -> float:
    """Return 1 minus the mean difference of the two likeliest alternatives of rows (N, C); 0 without rows."""
    if not len(rows) or rows.shape[1] < 2:
        return 0.0
    best = np.sort(rows, axis=1)[:, -2:]
    return float(1 - (best[:, 1] - best[:, 0]).mean())


def draw(name: str, seed: int) -> float:
    """Return a number from 0 to below 1 that depends only on an id and a seed."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
