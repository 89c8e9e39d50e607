"""Constraints that texts meet: the mean fraction per text, and the fraction of texts that meet all."""

from collections.abc import Sequence

import numpy as np

from ctxlab.evaluation.statistic import Figures, Sums, Values
from ctxlab.evaluation.statistics import Counts, ratio


class Constraints(Sums):
    """Values: number of ``met`` constraints of a text, and of those that its prompt ``asked`` for, at least one."""

    def table(self, values: Sequence[Values]) -> Counts:
        """Return (N, 3) fraction of the constraints that are met, whether all are, and 1."""
        met, asked = np.asarray([(one["met"], one["asked"]) for one in values], np.float64).T
        return np.stack([met / asked, met == asked, np.ones(len(met))], axis=-1)

    def of(self, sums: Counts) -> Figures:
        """Compute both fractions."""
        return {"constraints_met": ratio(sums[..., [0, 2]]), "all_met": ratio(sums[..., [1, 2]])}


STATISTIC = Constraints()
