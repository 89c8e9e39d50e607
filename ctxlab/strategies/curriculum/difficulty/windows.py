"""How difficult windows are, from their tokens alone.

Shape legend: N items, V token ids.
"""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import DoubleArray, IntArray, Window


def tokens(items: Sequence[Sequence[Window]]) -> DoubleArray:
    """Return (N,) the number of tokens of each item."""
    return np.asarray([sum(map(len, windows)) for windows in items], dtype=np.float64)


def rarity(items: Sequence[Sequence[Window]]) -> DoubleArray:
    """Return (N,) the sum over an item's tokens of −log p, where p is the token's frequency in all items."""
    ids: list[IntArray] = [np.concatenate([window.input_ids for window in windows]) for windows in items]
    counts = np.bincount(np.concatenate(ids))  # (V,)
    surprise = -np.log(np.maximum(counts, 1) / counts.sum())
    return np.asarray([surprise[one].sum() for one in ids], dtype=np.float64)
