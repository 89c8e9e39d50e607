"""Interval of a difference of two rates of different documents.

Source: method 10 of Newcombe 1998 (Statistics in Medicine 17, 873–890), which joins the score intervals of both rates
(Wilson 1927). It keeps its level where rates are 0 or 1, where an interval by the normal distribution has no width.
"""

import math

from scipy.special import ndtri

from ctxlab.evaluation.statistics import Interval


def wilson(hit: float, num: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a rate of ``hit`` among ``num`` documents."""
    z = float(ndtri((1 + confidence) / 2))
    rate, square = hit / num, z * z / num
    middle, half = rate + square / 2, z * math.sqrt(rate * (1 - rate) / num + square / num / 4)
    return (middle - half) / (1 + square), (middle + half) / (1 + square)


def newcombe(first: tuple[float, float], second: tuple[float, float], confidence: float = 0.95) -> Interval:
    """Return the interval of the first rate less the second one; each is (hits, documents)."""
    one, other = first[0] / first[1], second[0] / second[1]
    (low, high), (other_low, other_high) = wilson(*first, confidence), wilson(*second, confidence)
    gap = one - other
    return Interval(
        gap - math.hypot(one - low, other_high - other),
        gap + math.hypot(high - one, other - other_low),
    )
