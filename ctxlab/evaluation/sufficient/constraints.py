"""Constraints that texts meet: the mean share of a text, and the share of texts that meet all."""

from collections.abc import Sequence

import numpy as np

from ctxlab.evaluation.statistic import Figures, Sums, Values
from ctxlab.evaluation.statistics import Counts, ratio


class Constraints(Sums):
    """``met`` constraints of a text, and those that its prompt ``asked`` for, at least one."""

    def table(self, values: Sequence[Values]) -> Counts:
        """(N, 3) share of the constraints that are met, whether all are, and 1."""
        met, asked = np.asarray([(one["met"], one["asked"]) for one in values], np.float64).T
        return np.stack([met / asked, met == asked, np.ones(len(met))], axis=-1)

    def of(self, sums: Counts) -> Figures:
        """Both shares."""
        return {"constraints_met": ratio(sums[..., [0, 2]]), "all_met": ratio(sums[..., [1, 2]])}


STATISTIC = Constraints()
