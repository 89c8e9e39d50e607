"""Demographic parity and equalized odds of a classifier over groups, with a permutation test.

Selection rate, true positive rate and false positive rate of each label against the rest; the differences are the
largest ones between two groups, as fairlearn defines them (``demographic_parity_difference`` and
``equalized_odds_difference``; Hardt, Price and Srebro 2016, arXiv:1610.02413, for equalized odds).

Intervals are Newcombe's, of the two groups that differ most. Since they are chosen by the data, the intervals of all
pairs that are looked at hold together (Bonferroni), so that the one of the largest difference does.

Shape legend: N documents, C labels, G groups, R draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ctxlab.audit.measures.newcombe import newcombe
from ctxlab.core.types import BoolArray, IntArray
from ctxlab.evaluation.statistics import NO_INTERVAL, Counts, Interval

DRAWS = 1000
"""Random dealings of the groups."""

ENOUGH = 50
"""Dealings with a gap at least as large after which no more are drawn (Besag and Clifford 1991, Biometrika 78, 301)."""

ROUNDING = 1e-12

MISSED = 0.05
"""Probability that any of the intervals that hold together does not hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Gold and predicted labels of documents with a group."""

    gold: BoolArray
    """(N, C)"""
    predicted: BoolArray
    """(N, C)"""
    group: IntArray
    """(N,) index of the group."""
    num_groups: int


def selection_rates(found: Labelled) -> Counts:
    """Return (G, C) fraction of the documents of each group that get a label."""
    return _rates(found.predicted, np.ones_like(found.gold), found)


def parity_gaps(found: Labelled) -> Counts:
    """Return (C,) demographic parity differences: the largest difference of selection rates of two groups."""
    return _largest(selection_rates(found))


def odds_gaps(found: Labelled) -> Counts:
    """Return (C,) equalized odds differences: the larger of those of true and of false positive rates.

    A rate that a group does not have, because no document of it has (or lacks) the label, is left out. fairlearn takes
    such a rate as 0.
    """
    both = [_largest(_rates(found.predicted, gold, found)) for gold in (found.gold, ~found.gold)]
    gaps: Counts = np.max(both, axis=0)
    return gaps


def parity_intervals(found: Labelled) -> list[Interval]:
    """Return the interval of the demographic parity difference of each label."""
    hits, totals = _counts(found.predicted, np.ones_like(found.gold), found)
    return [_of_largest([(hits[:, label], totals[:, label])]) for label in range(hits.shape[1])]


def odds_intervals(found: Labelled) -> list[Interval]:
    """Return the interval of the equalized odds difference of each label."""
    return [_of_largest(own) for own in _odds_counts(found)]


def odds_interval(found: Labelled) -> Interval:
    """Return the interval of the largest equalized odds difference over all labels."""
    by_label = _odds_counts(found)
    gold, predicted = found.gold, found.predicted
    is_binary = gold.shape[1] == 2 and all((one[:, 0] != one[:, 1]).all() for one in (gold, predicted))
    return _of_largest([pair for own in (by_label[:1] if is_binary else by_label) for pair in own])


def _odds_counts(found: Labelled) -> list[list[tuple[Counts, Counts]]]:
    """Return of each label hits and totals (G,) of the true and of the false positive rate."""
    both = [_counts(found.predicted, gold, found) for gold in (found.gold, ~found.gold)]
    return [[(hits[:, label], totals[:, label]) for hits, totals in both] for label in range(found.gold.shape[1])]


def _of_largest(rates: Sequence[tuple[Counts, Counts]]) -> Interval:
    """Return the interval of the largest difference of two groups in any of several rates.

    Args:
        rates: Hits and documents of each group (G,), for each rate.
    """
    pairs = [
        ((float(hits[i]), float(totals[i])), (float(hits[j]), float(totals[j])))
        for hits, totals in rates
        for i, j in permutations(np.flatnonzero(totals).tolist(), 2)
    ]
    if not pairs:
        return NO_INTERVAL
    first, second = max(pairs, key=lambda pair: pair[0][0] / pair[0][1] - pair[1][0] / pair[1][1])
    return newcombe(first, second, 1 - MISSED / (len(pairs) / 2))


def _counts(hit: BoolArray, of: BoolArray, found: Labelled) -> tuple[Counts, Counts]:
    """Return (G, C) number of the documents ``of`` a kind (N, C) that are hit (N, C), and of all of that kind."""
    member = np.eye(found.num_groups)[found.group]
    return member.T @ (hit & of), member.T @ of.astype(np.float64)


def _rates(hit: BoolArray, of: BoolArray, found: Labelled) -> Counts:
    """Return (G, C) fraction of the documents ``of`` a kind (N, C) that are hit (N, C); NaN where there are none."""
    count, total = _counts(hit, of, found)
    rates: Counts = np.divide(count, total, out=np.full(total.shape, np.nan), where=total > 0)
    return rates


def _largest(rates: Counts) -> Counts:
    """Return (C,) largest difference of rates (G, C); 0 where fewer than two groups have one."""
    known = ~np.isnan(rates)
    high, low = (np.where(known, rates, fill) for fill in (-np.inf, np.inf))
    gaps: Counts = np.where(known.sum(axis=0) > 1, high.max(axis=0) - low.min(axis=0), 0.0)
    return gaps


def odds_p(found: Labelled, seed: int, draws: int = DRAWS) -> float:
    """Return the p-value of the largest odds gap: groups are dealt anew among the documents of each gold label.

    So different base rates of the groups are no difference in itself.
    """
    _, strata = np.unique(found.gold, axis=0, return_inverse=True)
    strata = strata.reshape(-1)
    generator, observed = np.random.default_rng(seed), odds_gaps(found).max()
    order = np.argsort(strata, kind="stable")
    blocks = np.split(order, np.flatnonzero(np.diff(strata[order])) + 1)
    extreme = done = 0
    while done < draws and extreme < ENOUGH:
        done += 1
        dealt = found.group.copy()
        for places in blocks:
            dealt[places] = generator.permutation(found.group[places])
        drawn = Labelled(found.gold, found.predicted, dealt, found.num_groups)
        extreme += odds_gaps(drawn).max() >= observed - ROUNDING
    return float((extreme + 1) / (done + 1))


def labelled(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], groups: Sequence[int], labels: Sequence[str]
) -> Labelled:
    """Return label sets as arrays.

    Args:
        gold: Gold labels of each document.
        predicted: Predicted ones.
        groups: Index of the group of each.
        labels: All labels, in order.
    """

    def table(several: Sequence[Sequence[str]]) -> BoolArray:
        return np.asarray([[name in one for name in labels] for one in several], np.bool_).reshape(-1, len(labels))

    return Labelled(table(gold), table(predicted), np.asarray(groups, np.int64), len(set(groups)))
