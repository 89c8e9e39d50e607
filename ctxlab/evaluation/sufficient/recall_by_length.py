"""Recall of each probe and its length: mean recall, and effective context."""

from collections.abc import Mapping, Sequence

import numpy as np

from ctxlab.evaluation.statistic import Figures, Means, Values
from ctxlab.evaluation.statistics import Counts

THRESHOLD = 0.856
"""Mean recall from which on a length is effective (Hsieh et al. 2024, arXiv:2404.06654)."""


class RecallByLength(Means):
    """Values: ``recall`` (0 to 1) of a probe, and the ``length`` of its text in words."""

    columns = ("recall",)

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Compute the mean, and the longest length whose own mean is at least ``THRESHOLD`` (0 where there is none)."""
        found = dict(super().figures(values, weights))
        reached = np.zeros_like(found["recall"])
        for length in sorted({one["length"] for one in values}):
            own = [i for i, one in enumerate(values) if one["length"] == length]
            mean = self.among(own, values, weights)["recall"]
            reached = np.where(mean >= THRESHOLD, length, reached)
        return {**found, "effective_context": reached}


def effective_context(means: Mapping[int, float]) -> int:
    """Return the longest length whose mean recall (0 to 1) is at least ``THRESHOLD``; 0 where there is none."""
    return max((length for length, mean in means.items() if mean >= THRESHOLD), default=0)


STATISTIC = RecallByLength()
