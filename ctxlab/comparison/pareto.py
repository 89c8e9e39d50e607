"""The Pareto front of quality and cost, judged from one joint resampling.

Shape legend: S seeds, N documents, C candidates, O objectives, R resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from scipy.special import stdtrit

from ctxlab.comparison.compare import Contender
from ctxlab.core.types import BoolArray
from ctxlab.evaluation.statistics import Counts

RESAMPLES = 2000

DECIDED = 0.95
"""Fraction of the resamples in which a standing must hold to be reported."""

NORMAL = 1.959963984540054
"""Quantile of the normal distribution at 0.975."""


class Standing(StrEnum):
    """Standing of a candidate among all."""

    FRONT = "on the front"
    DOMINATED = "dominated"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Place:
    """Standing of one candidate with its probability."""

    name: str
    standing: Standing
    chance_on_front: float
    """Fraction of the resamples in which no other candidate dominates it."""
    dominated_by: str | None
    """The candidate that most often dominates it; None if none ever does."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Differences up to these sizes count as none."""

    figure: float = 0.01
    """In units of the figure: the tie margin."""
    cost: float = 0.02
    """As a fraction of the larger cost."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """One resampling of documents and seeds, shared by all candidates and objectives.

    Deviations from the figures of all documents and seeds are widened for small numbers of either, as bootstrap
    deviations are too small by √((n − 1) / n), and normal ones by the ratio of Student's quantile: see
    ``evaluation.statistics.expanded_tail``, which does the same to quantiles. With one seed there is no deviation over
    seeds, and the standings are those of these trained models.
    """

    documents: Counts
    """(R, N) how often each document counts."""
    seeds: Counts
    """(R, S) weights that sum to 1."""

    @classmethod
    def of(cls, num_documents: int, num_seeds: int, resamples: int, seed: int) -> "Draws":
        """Draw both with replacement.

        Args:
            num_documents: Documents (N).
            num_seeds: Seeds (S).
            resamples: Draws (R).
            seed: Seed of the draws.
        """
        generator = np.random.default_rng(seed)
        documents, seeds = (
            generator.multinomial(num, np.full(num, 1 / num), size=resamples).astype(np.float64)
            for num in (num_documents, num_seeds)
        )
        return cls(documents, seeds / num_seeds)

    def figure(self, contender: Contender) -> Counts:
        """Return (R,) the figure of a candidate."""
        each = contender.scored.each_seed()
        over_documents = contender.scored.figures(self.documents).mean(axis=1) - each.mean()
        return self._deviating(each, over_documents)

    def cost(self, values: Counts) -> Counts:
        """Return (R,) a cost that was measured for every seed (S,), or for every seed and document (S, N)."""
        if values.ndim == 1:
            return self._deviating(values, np.zeros(len(self.seeds)))
        num_documents = self.documents.shape[1]
        return self._deviating(
            values.mean(axis=1), self.documents @ values.mean(axis=0) / num_documents - values.mean()
        )

    def _deviating(self, each: Counts, over_documents: Counts) -> Counts:
        """Return (R,) the mean of ``each`` seed (S,) plus the deviations of both resamplings."""
        over_seeds = self.seeds @ (each - each.mean())
        widened: Counts = (
            each.mean()
            + _widening(self.documents.shape[1]) * over_documents
            + _widening(self.seeds.shape[1]) * over_seeds
        )
        return widened


def pareto(
    contenders: Sequence[Contender],
    costs: Mapping[str, Sequence[Counts]],
    *,
    lower_is_better: bool = False,
    tolerance: Tolerance = Tolerance(),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Place]:
    """Return each candidate's standing by the figure and all costs, with its probability.

    One candidate dominates another one if it is not worse in any objective and better in at least one; differences
    within the tolerance count as equal. A candidate is on the front if nothing dominates it in 95 % of the resamples,
    dominated if another candidate dominates it in 95 %, else undecided. Lower costs are better.

    Args:
        contenders: C candidates, the baseline among them, of the same documents and seeds.
        costs: Name → for each contender (S,) values by seed, or (S, N) by seed and document; all positive.
        lower_is_better: Whether a lower figure is better.
        tolerance: Differences that count as none.
        resamples: R, number of resamples.
        seed: Seed of the resampling, so that a report can be reproduced.
    """
    scored = contenders[0].scored
    draws = Draws.of(scored.num_documents, scored.num_seeds, resamples, seed)
    figures = np.stack([draws.figure(one) for one in contenders])
    better = [_clearly_higher(-figures if lower_is_better else figures, tolerance.figure)]
    for values in costs.values():
        drawn = np.stack([draws.cost(np.asarray(one, dtype=np.float64)) for one in values])
        better.append(_clearly_higher(-drawn, tolerance.cost * np.abs(np.maximum(drawn[:, None], drawn[None]))))
    dominates = _dominates(np.stack(better))
    return [_place(contenders, dominates, index) for index in range(len(contenders))]


def _clearly_higher(values: Counts, tolerance: Counts | float) -> BoolArray:
    """Return (C, C, R) whether the first of two candidates is higher by more than the tolerance, of values (C, R)."""
    higher: BoolArray = values[:, None] - values[None] > tolerance
    return higher


def _dominates(better: BoolArray) -> BoolArray:
    """Return (C, C, R) whether the first of two candidates dominates the second; ``better`` is (O, C, C, R)."""
    anywhere: BoolArray = np.any(better, axis=0)
    found: BoolArray = anywhere & ~np.swapaxes(anywhere, 0, 1)
    return found


def _place(contenders: Sequence[Contender], dominates: BoolArray, index: int) -> Place:
    by_others = dominates[:, index]
    on_front = 1 - float(by_others.any(axis=0).mean())
    standing = Standing.FRONT if on_front >= DECIDED else Standing.UNDECIDED
    if on_front <= 1 - DECIDED:
        standing = Standing.DOMINATED
    often = by_others.mean(axis=1)
    strongest = contenders[int(often.argmax())].name if often.any() else None
    return Place(contenders[index].name, standing, on_front, strongest)


def _widening(num: int) -> float:
    """Return the factor for deviations over ``num`` resampled units; 1 for a single unit, which never deviates."""
    return 1.0 if num == 1 else sqrt(num / (num - 1)) * float(stdtrit(num - 1, 0.975)) / NORMAL
