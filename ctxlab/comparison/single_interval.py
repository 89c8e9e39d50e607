"""The confidence interval of a candidate's own figure, computed as its difference to zero."""

from typing import Self

import numpy as np

from ctxlab.comparison.difference import difference
from ctxlab.comparison.scored import Scored
from ctxlab.core.types import BoolArray
from ctxlab.evaluation.statistics import Counts, Interval, with_width


class Zero(Scored):
    """A figure that is 0 for any documents."""

    def __init__(self, like: Scored) -> None:
        self.num_seeds, self.num_documents, self.reported = like.num_seeds, like.num_documents, like.reported

    def figures(self, weights: Counts) -> Counts:
        """See ``Scored``."""
        return np.zeros((len(weights), self.num_seeds))

    def mixed(self, other: Self, share: Counts) -> Counts:
        """See ``Scored``."""
        del other
        return self.figures(share)

    def differs(self, other: Self) -> BoolArray:
        """See ``Scored``."""
        del other
        return np.zeros(self.num_documents, bool)


def interval(scored: Scored, *, lower_is_better: bool) -> Interval:
    """Return the interval of a figure for new documents and new seeds.

    Every figure of which more is better is a share, unless a plug-in's values say otherwise. Student's interval does
    not know that, is cut at 0 and 1, and gets a width where all documents give the same of these (``with_width``).

    Args:
        scored: The figure's counts.
        lower_is_better: Whether less of it is better.
    """
    found = difference(scored, Zero(scored)).interval
    is_share = not lower_is_better and all(0 <= value <= 1 for value in scored.each_seed())
    if not is_share or found.low is None or found.high is None:
        return found
    return with_width(Interval(max(found.low, 0.0), min(found.high, 1.0)), int(scored.reported.any(axis=0).sum()))
