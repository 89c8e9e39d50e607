"""How sure a figure is: bootstrap intervals over documents.

Shape legend: N documents or cases, G groups of cases, K counts per document or case, R resamples.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
Statistic = Callable[[Counts], Counts]
"""Summed counts (R, K) to figures (R,)."""

RESAMPLES = 1000

LARGEST_EXPONENT = 700.0
"""Above it e to the power of is no double any more."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Between these the figure lies with the stated confidence."""

    low: float
    high: float


def bootstrap(
    counts: npt.ArrayLike, statistic: Statistic, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Percentile interval of ``statistic`` when documents are drawn anew with replacement.

    Documents are drawn, not entities, as entities of one document are alike (Efron and Tibshirani, An Introduction to
    the Bootstrap, 1993).

    Args:
        counts: (N, K) what each document adds to the figure, at least one document.
        statistic: Summed counts (R, K) to figures (R,).
        confidence: Share of the resampled figures that the interval holds.
        resamples: R.
        seed: Of the draws, so that a report can be repeated.
    """
    table = np.asarray(counts, dtype=np.float64)
    return bootstrap_weights(len(table), lambda times: statistic(times @ table), confidence, resamples, seed)


def bootstrap_weights(
    num_documents: int, statistic: Statistic, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The same for a figure that does not come from sums: ``statistic`` gets how often each document counts (R, N).

    Resamples for which the figure is not defined (NaN) are left out, unless it is for none of them.
    """
    times = np.random.default_rng(seed).multinomial(
        num_documents, np.full(num_documents, 1 / num_documents), size=resamples
    )
    tail = (1 - confidence) / 2
    figures = statistic(times.astype(np.float64))
    known = figures[~np.isnan(figures)]
    low, high = np.quantile(known if len(known) else np.zeros(1), [tail, 1 - tail])
    return Interval(float(low), float(high))


def bootstrap_mean(values: npt.ArrayLike, groups: Sequence[Hashable]) -> Interval:
    """Interval of the mean of ``values`` (N,) when groups are drawn, each with all of its cases."""
    cases = np.asarray(values, dtype=np.float64)
    return bootstrap(by_group(np.stack([cases, np.ones(len(cases))], axis=-1), groups), ratio)


def by_group(counts: npt.ArrayLike, groups: Sequence[Hashable], every: Sequence[Hashable] = ()) -> Counts:
    """(G, K) sums of ``counts`` (N, K) over the cases of each group.

    Args:
        counts: What each case adds.
        groups: Of each case, as the cases of a group (a record) are alike.
        every: Groups that have a row even without a case, in the order of rows; others follow as they occur.
    """
    table = np.asarray(counts, dtype=np.float64)
    places = {name: place for place, name in enumerate(dict.fromkeys((*every, *groups)))}
    sums = np.zeros((len(places), table.shape[1]))
    np.add.at(sums, [places[name] for name in groups], table)
    return sums


def ratio(sums: Counts) -> Counts:
    """First count over second, 0 where there is nothing to divide by; (…, 2) to (…)."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.zeros(sums.shape[:-1]), where=sums[..., 1] > 0)


def f1(sums: Counts) -> Counts:
    """F1 of (correct, predicted, gold) counts, 0 where there is nothing; (…, 3) to (…)."""
    both = sums[..., 1] + sums[..., 2]
    return ratio(np.stack([2 * sums[..., 0], both], axis=-1))


def perplexity(sums: Counts) -> Counts:
    """e to the mean of (nats, tokens) sums, which stays a number; (…, 2) to (…)."""
    figure: Counts = np.exp(np.minimum(ratio(sums), LARGEST_EXPONENT))
    return figure
