"""Confidence intervals of figures: expanded-percentile bootstrap over documents.

Shape legend: N documents or cases, G groups of cases, K counts per document or case, R resamples.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtr, stdtrit

Counts = npt.NDArray[np.float64]
Statistic = Callable[[Counts], Counts]
"""Summed counts (R, K) to figures (R,)."""

RESAMPLES = 2000
"""Enough for five documents, whose bounds are the 0.1 % and 99.9 % quantiles: two resamples are outside each."""

BLOCK_CELLS = 2**22
"""Largest number of weights in memory at once."""

LARGEST_EXPONENT = 700.0
"""Largest exponent, rounded down, whose exponential fits a float64."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; both bounds are None where there is none, which tables show as dashes."""

    low: float | None
    high: float | None


NO_INTERVAL = Interval(None, None)


def interval_note(units: str = "documents", figure: str = "") -> str:
    """Return the note below a table that has columns ``low`` and ``high``.

    Args:
        units: Units that are resampled.
        figure: Figure that has the interval, where the table has several figures.
    """
    of = f" of {figure}" if figure else ""
    return (
        f"low and high: 95 % expanded-percentile bootstrap interval{of} over {units}, Clopper–Pearson's where all give "
        "0 or all give 1; a dash where there is only one"
    )


def bootstrap(
    counts: npt.ArrayLike, statistic: Statistic, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Return the interval of ``statistic`` when documents are resampled with replacement; none for a single document.

    Documents are resampled, not entities, as entities of one document are correlated (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993). See ``expanded_bounds`` for the interval. With two, three or four documents no
    resampling can reach its nominal confidence (0.50, 0.75 and about 0.87 instead of 0.95); from five on it is at least
    0.91.

    Args:
        counts: (N, K) counts of each document. There is no interval where fewer than two documents have a count other
            than 0.
        statistic: Summed counts (R, K) to figures (R,).
        confidence: Fraction of such intervals that contain the true figure.
        resamples: R.
        seed: Seed of the resampling, so that a report is reproducible.
    """
    table = np.asarray(counts, dtype=np.float64)
    if np.count_nonzero(table.any(axis=1)) < 2:
        return NO_INTERVAL
    return bootstrap_weights(
        len(table), lambda times: statistic(times @ table), confidence=confidence, resamples=resamples, seed=seed
    )


def bootstrap_weights(
    num_documents: int, statistic: Statistic, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Return the interval of a figure that is not a function of sums; see ``bootstrap``.

    Args:
        num_documents: N.
        statistic: How often each document counts (R, N) to figures (R,). Resamples for which the figure is not defined
            (NaN) are left out.
        confidence: See ``bootstrap``.
        resamples: R.
        seed: Seed of the resampling.
    """
    if num_documents < 2:
        return NO_INTERVAL
    generator = np.random.default_rng(seed)
    chances, block = np.full(num_documents, 1 / num_documents), max(1, BLOCK_CELLS // num_documents)
    figures = np.concatenate([
        statistic(generator.multinomial(num_documents, chances, min(block, resamples - start)).astype(np.float64))
        for start in range(0, resamples, block)
    ])  # fmt: skip
    known = figures[~np.isnan(figures)]
    if not len(known):
        return NO_INTERVAL
    low, high = expanded_bounds(known, num_documents, confidence)
    return Interval(float(low), float(high))


def expanded_bounds(figures: Counts, num_units: int, confidence: float = 0.95) -> Counts:
    """Return the bounds (2, …) of resampled figures (R, …): quantiles at ``expanded_tail`` and its complement."""
    tail = expanded_tail(num_units, confidence)
    bounds: Counts = np.quantile(figures, [tail, 1 - tail], axis=0)
    return bounds


def expanded_tail(num_units: int, confidence: float = 0.95) -> float:
    """Return the fraction of resampled figures below the lower bound: Φ(−√(n / (n − 1)) · t) for n resampled units.

    t is the quantile of Student's distribution with n − 1 degrees of freedom. Plain percentiles of a bootstrap are
    those of a normal approximation with the variance divided by n instead of n − 1, and thus too narrow for few units;
    the expanded tail makes up for both (Hesterberg 2015, What Teachers Should Know About the Bootstrap, The American
    Statistician 69(4), 371–386).
    """
    quantile = stdtrit(num_units - 1, (1 + confidence) / 2)
    return float(ndtr(-np.sqrt(num_units / (num_units - 1)) * quantile))


def share_interval(hit: int, num: int, confidence: float = 0.95) -> Interval:
    """Return the exact interval of a share (Clopper and Pearson 1934, Biometrika 26, 404–413)."""
    tail = (1 - confidence) / 2
    low = float(betaincinv(hit, num - hit + 1, tail)) if hit else 0.0
    high = float(betaincinv(hit + 1, num - hit, 1 - tail)) if hit < num else 1.0
    return Interval(low, high)


def with_width(interval: Interval, num_units: int) -> Interval:
    """Return the interval of a figure between 0 and 1, wider where all units give 0 or all give 1.

    Resamples of equal units are equal, and so are their figures: an interval without width, as if no further document
    could differ. The mean of a figure is at least the share of units that give 1, and at most that of units that do
    not give 0; this is the exact interval of that share.

    Args:
        interval: Of any method that knows the units by their spread alone.
        num_units: Documents or cases, at least one.
    """
    if interval.low is None or interval.low != interval.high or interval.low not in (0.0, 1.0):
        return interval
    return share_interval(round(interval.low * num_units), num_units)


def by_group(counts: npt.ArrayLike, groups: Sequence[Hashable], every: Sequence[Hashable] = ()) -> Counts:
    """Return (G, K) sums of ``counts`` (N, K) over the cases of each group.

    Args:
        counts: Counts of each case.
        groups: Group of each case (a record).
        every: Groups that have a row even without a case, in order; others follow as they occur.
    """
    table = np.asarray(counts, dtype=np.float64)
    places = {name: place for place, name in enumerate(dict.fromkeys((*every, *groups)))}
    sums = np.zeros((len(places), table.shape[1]))
    np.add.at(sums, [places[name] for name in groups], table)
    return sums


def ratio(sums: Counts) -> Counts:
    """Return the first count divided by the second, 0 where that is 0; (…, 2) to (…)."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.zeros(sums.shape[:-1]), where=sums[..., 1] > 0)


def f1(sums: Counts) -> Counts:
    """Return the F1 of (correct, predicted, gold) counts, 0 where all are 0; (…, 3) to (…)."""
    both = sums[..., 1] + sums[..., 2]
    return ratio(np.stack([2 * sums[..., 0], both], axis=-1))


def perplexity(sums: Counts) -> Counts:
    """Return exp(nats / tokens) of (nats, tokens) sums, capped to stay finite; (…, 2) to (…)."""
    figure: Counts = np.exp(np.minimum(ratio(sums), LARGEST_EXPONENT))
    return figure
