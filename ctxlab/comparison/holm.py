"""Holm's adjustment of p-values, which controls the family-wise error rate over several candidates."""

from collections.abc import Sequence
from math import ceil, floor, log2


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given; a candidate differs if its own is at most the level.

    Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 65–70: the
    smallest is multiplied by the number of candidates, the next one by one less, and none falls below the one before.
    It assumes nothing about the dependence between candidates, which share their baseline.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    found, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        found[index] = largest
    return found


def unreachable(smallest_p: float, num_candidates: int, num_documents: int, level: float = 0.05) -> str | None:
    """Return a sentence that says why no difference can be significant, or None if one can.

    Args:
        smallest_p: The smallest p-value that the test can give, see ``permutation.smallest_p``.
        num_candidates: Candidates compared with the baseline.
        num_documents: Documents on which candidate and baseline differ.
        level: Family-wise error rate.
    """
    if smallest_p * num_candidates <= level:
        return None
    needed = 1 + ceil(log2(num_candidates / level))
    against = "1 candidate" if num_candidates == 1 else f"{num_candidates} candidates"
    sentence = (
        f"No difference can be significant here: with {num_documents} documents that differ the smallest p-value is "
        f"{smallest_p:.2g}, which times {against} is above {level:g}; it takes at least {needed} documents that differ"
    )
    fewer = floor(level / smallest_p)
    return f"{sentence}, or at most {fewer} candidates." if fewer > 1 else f"{sentence}."
