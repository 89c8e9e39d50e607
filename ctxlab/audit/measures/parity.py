"""Demographic parity and equalized odds of a classifier over groups, with a permutation test.

Selection rate, true positive rate and false positive rate of each label against the rest; the differences are the
largest ones between two groups, as fairlearn defines them (``demographic_parity_difference`` and
``equalized_odds_difference``; Hardt, Price and Srebro 2016, arXiv:1610.02413, for equalized odds).

Shape legend: N documents, C labels, G groups, R draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.types import BoolArray, IntArray
from ctxlab.evaluation.statistics import Counts

DRAWS = 1000
"""Random dealings of the groups."""

ENOUGH = 50
"""Dealings with a gap at least as large after which no more are drawn (Besag and Clifford 1991, Biometrika 78, 301)."""

ROUNDING = 1e-12


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


def _rates(hit: BoolArray, of: BoolArray, found: Labelled) -> Counts:
    """Return (G, C) fraction of the documents ``of`` a kind (N, C) that are hit (N, C); NaN where there are none."""
    member = np.eye(found.num_groups)[found.group]
    count, total = member.T @ (hit & of), member.T @ of.astype(np.float64)
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
