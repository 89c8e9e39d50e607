"""Where the cells of a comparison are kept, and whether other processes slowed one down."""

from ctxlab.core.result import Result

FOLDER = "cells"
"""Folder of the cells' run directories in the comparison's."""

LOGS = "logs"
"""Folder of the cells' output."""

LOW_SHARE = 0.9
"""Fraction of its threads' time below which a cell counts as slowed down by other processes."""


def cpu_share(result: Result) -> float | None:
    """Return the fraction of its threads' time that training got; None if unknown."""
    cost = result.cost
    if not (cost.train_cpu_seconds and cost.train_seconds and cost.threads):
        return None
    return cost.train_cpu_seconds / (cost.train_seconds * cost.threads)
