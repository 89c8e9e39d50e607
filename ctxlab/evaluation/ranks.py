"""Figures of rankings from the ranks of the chosen candidates, and their expected values for a random order.

Shape legend: K candidates of one ranking, C chosen ones, F figures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import comb

import numpy as np

from ctxlab.core.types import IntArray
from ctxlab.evaluation.auroc import auroc
from ctxlab.evaluation.statistic import Means, Values
from ctxlab.evaluation.statistics import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """One ranking."""

    ranks: IntArray
    """(C,) ranks of the chosen candidates, counted from 1, the best first."""
    auc: float
    """Fraction of the pairs of a chosen and another candidate in which the chosen one scores higher, ties a half."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a ranking, with its expected value for a random order of the candidates."""

    name: str
    of: Callable[[Ranked], float]
    by_chance: Callable[[int, int], float]
    """Function of the number of candidates and the number of chosen ones."""


def rank(scores: Counts, gold: Counts) -> Ranked:
    """Rank candidates by ``scores`` (K,); a chosen one (``gold`` is 1) comes after others of the same score."""
    order = np.lexsort((gold, -scores))
    return Ranked(np.flatnonzero(gold[order] > 0) + 1, float(auroc(scores, gold, np.ones((1, len(gold))))[0]))


def ndcg(ranked: Ranked, k: int) -> float:
    """Return the NDCG of the first k."""
    gain = _gains(ranked.ranks[ranked.ranks <= k])
    return gain / _gains(np.arange(1, min(k, len(ranked.ranks)) + 1))


def _gains(ranks: IntArray) -> float:
    return float((1 / np.log2(ranks + 1)).sum())


def _ndcg_by_chance(num: int, chosen: int, k: int) -> float:
    return _gains(np.arange(1, min(k, num) + 1)) * chosen / num / _gains(np.arange(1, min(k, chosen) + 1))


def reciprocal_rank(ranked: Ranked) -> float:
    """Return 1 / rank of the first chosen candidate."""
    return 1 / float(ranked.ranks[0])


def _reciprocal_rank_by_chance(num: int, chosen: int) -> float:
    """Return the expected value: the first one has rank r if all others are among the ``num - r`` after it."""
    return sum(comb(num - r, chosen - 1) / r for r in range(1, num - chosen + 2)) / comb(num, chosen)


def mind_reciprocal_rank(ranked: Ranked) -> float:
    """Return the mean of 1 / rank over all chosen candidates."""
    return float((1 / ranked.ranks).mean())


def recall(ranked: Ranked, k: int) -> float:
    """Return the fraction of the chosen candidates that are among the first k."""
    return float((ranked.ranks <= k).mean())


AUC = Figure("auc", lambda ranked: ranked.auc, lambda num, chosen: 0.5)
MRR = Figure("mrr", reciprocal_rank, _reciprocal_rank_by_chance)
MIND_MRR = Figure("mind_mrr", mind_reciprocal_rank, lambda num, chosen: float((1 / np.arange(1, num + 1)).mean()))


def ndcg_at(k: int) -> Figure:
    """Return the figure ``ndcg_at_<k>``."""
    return Figure(f"ndcg_at_{k}", partial(ndcg, k=k), partial(_ndcg_by_chance, k=k))


def recall_at(k: int) -> Figure:
    """Return the figure ``recall_at_<k>``."""
    return Figure(f"recall_at_{k}", partial(recall, k=k), lambda num, chosen: min(k / num, 1.0))


class Rankings(Means):
    """Values: ``ranks`` of the chosen candidates of a ranking, its number of ``candidates``, and its ``auc``.

    A ranking of which nothing was read has no ``ranks`` and scores 0 in every figure.
    """

    ranked_by: tuple[Figure, ...]
    """The figures of the statistic."""

    @property
    def names(self) -> list[str]:
        """Return the names of the figures."""
        return [figure.name for figure in self.ranked_by]

    def scores(self, one: Values) -> list[float]:
        """Return (F,) figures of one ranking."""
        if not one["ranks"]:
            return [0.0] * len(self.ranked_by)
        ranked = Ranked(np.asarray(one["ranks"], np.int64), one["auc"])
        return [figure.of(ranked) for figure in self.ranked_by]

    def by_chance(self, num: int, chosen: int) -> list[float]:
        """Return (F,) expected figures of a random order of ``num`` candidates, ``chosen`` of them chosen."""
        return [figure.by_chance(num, chosen) for figure in self.ranked_by]
