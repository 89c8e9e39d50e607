"""The CUSUM chart: its step, and the limit at which it rings by chance once in a given number of documents."""

from functools import lru_cache
from math import exp, log1p

from scipy.optimize import brentq

OVERSHOOT = 1.166
"""By how much a sum of normal steps passes the limit on average, both ends together (Siegmund 1985)."""


def run_length(limit: float, slack: float) -> float:
    """Return the mean number of steps until a one-sided chart of standard normal values rings.

    Source: Siegmund 1985, Sequential Analysis: (exp(2kb) - 2kb - 1) / (2k²), b = limit + 1.166, k the slack.
    """
    b = limit + OVERSHOOT
    return (exp(2 * slack * b) - 2 * slack * b - 1) / (2 * slack**2)


@lru_cache(64)
def limit_for(steps: float, slack: float) -> float:
    """Return the limit at which a one-sided chart rings once in ``steps`` on average; 0 if every limit is longer."""
    highest = (log1p(2 * slack**2 * steps) + 5) / (2 * slack)
    if run_length(0.0, slack) >= steps:
        return 0.0
    found: float = brentq(lambda limit: run_length(limit, slack) - steps, 0.0, highest, xtol=1e-9)
    return found
