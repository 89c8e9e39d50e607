"""Several tasks: the figures of each member by its own statistics, and the mean of their primary figures.

The values of a unit are ``member``; ``primary``, the name of the figure that is averaged; ``lower``, whether less of it
is better; and ``of``, the values of each statistic of the member. Shape legend: N units, R weightings.
"""

from collections.abc import Sequence

import numpy as np

from ctxlab.core.types import ScoredRecord
from ctxlab.evaluation import scores
from ctxlab.evaluation.statistic import Figures, Statistic, Values
from ctxlab.evaluation.statistics import Counts


class Multi(Statistic):
    """Figures ``<member>_<figure>``, and ``mean``.

    Where all members agree on what is better, ``mean`` is that of their primary figures. Else a figure x ≥ 0 that is
    better when lower counts as 1 / (1 + x), which is 1 where it is perfect, so that more is always better. It is
    undefined where that of any member is.
    """

    def figures(self, values: Sequence[Values], weights: Counts | None = None) -> Figures:
        """Compute the figures of every weighting."""
        found: dict[str, Counts] = {}
        primary: list[Counts] = []
        mixed = len({bool(one["lower"]) for one in values}) > 1
        for name in dict.fromkeys(one["member"] for one in values):
            places = [i for i, one in enumerate(values) if one["member"] == name]
            first = values[places[0]]
            own = [ScoredRecord("", "", values[i]["of"]) for i in places]
            figures = scores.figures(own, None if weights is None else weights[:, places])
            found |= {f"{name}_{figure}": value for figure, value in figures.items()}
            undefined = np.full(1 if weights is None else len(weights), np.nan)
            goal = figures.get(first["primary"], undefined)
            primary.append(1 / (1 + goal) if mixed and first["lower"] else goal)
        return found | {"mean": np.mean(primary, axis=0)}


STATISTIC = Multi()
