"""Cases sorted into bins for a breakdown, each with a name that a person reads."""

from collections.abc import Sequence
from itertools import pairwise
from math import inf

LENGTHS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
"""Last token count of each bin of document lengths; the last bin is open."""

DISTANCES = (32, 128, 512, 2048)
"""Last word count of each bin of distances; the last bin is open."""

PARTS = 10
"""Equal parts of a document."""

Bin = tuple[str, list[int]]
"""Name of a bin and the cases in it."""


def by_size(values: Sequence[float | None], edges: Sequence[float]) -> list[Bin]:
    """Bins that have cases: values above the edge before and up to their own; None is left out."""
    bins = []
    for low, high in pairwise((0, *edges, inf)):
        chosen = [i for i, value in enumerate(values) if value is not None and low < value <= high]
        if chosen:
            bins.append((f"over {low:,.0f}" if high == inf else f"{low + 1:,.0f}–{high:,.0f}", chosen))
    return bins


def by_part(shares: Sequence[float | None]) -> list[Bin]:
    """Tenths of a document that have cases, of shares from 0 to 1; None is left out."""
    bins = []
    for part in range(PARTS):
        chosen = [
            i for i, share in enumerate(shares) if share is not None and min(int(share * PARTS), PARTS - 1) == part
        ]
        if chosen:
            bins.append((f"{100 * part // PARTS}–{100 * (part + 1) // PARTS} %", chosen))
    return bins
