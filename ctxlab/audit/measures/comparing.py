"""Differences of figures with interval and p-value: on the same documents, on different ones, and of single values.

As in ``ctxlab compare``, a difference must hold by two tests: Student's t, and a permutation test, which is exact
where documents are few or answers nearly all the same (Fisher 1935, The Design of Experiments). The p-value is the
larger one.

Shape legend: N records, R draws.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.comparison.difference import Difference, difference
from ctxlab.comparison.permutation import DRAWS, permutation
from ctxlab.comparison.records import RecordScores
from ctxlab.comparison.scored import CountScores, Scored
from ctxlab.comparison.single_interval import Zero
from ctxlab.comparison.student import WeightedStudent
from ctxlab.core.audit import Compared
from ctxlab.core.types import BoolArray, ScoredRecord
from ctxlab.evaluation.statistics import Counts, ratio

DRAWS_APART = 2000
"""Random divisions of documents that are not paired."""

BLOCK = 200
"""Divisions at a time."""

ENOUGH = 100
"""Divisions at least as far apart after which no more are drawn: the p-value is well above any level by then (Besag and
Clifford 1991, Sequential Monte Carlo p-values, Biometrika 78, 301–304; here at the end of a block)."""

TRIALS = 4
"""Weightings by which a figure is known to be a mean over units."""

ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Sides:
    """Names of the two sides of a comparison, and its figure."""

    name: str
    figure: str


def paired(sides: Sides, first: Sequence[ScoredRecord], second: Sequence[ScoredRecord], seed: int) -> Compared:
    """Compare a figure of two sets of scores of the same records.

    Args:
        sides: What is compared.
        first: Scores of one side.
        second: Scores of the other, of records of the same ids.
        seed: Seed of the permutations.
    """
    one, other = (own(scores, sides.figure) for scores in (first, second))
    if type(one) is not type(other):
        records = sorted({each.group for each in first})
        one, other = (RecordScores([scores], sides.figure, records) for scores in (first, second))
    return _paired(sides, one, other, seed)


def paired_values(sides: Sides, first: Sequence[float], second: Sequence[float], seed: int) -> Compared:
    """Compare the means of two values of each record.

    Args:
        sides: What is compared.
        first: (N,) values of one side, such as 1 where an answer changed and else 0.
        second: (N,) values of the other.
        seed: Seed of the permutations.
    """
    one, other = (CountScores(_counts(values), ratio) for values in (first, second))
    return _paired(sides, one, other, seed)


def _counts(values: Sequence[float]) -> Counts:
    """Return (1, N, 2) values and ones."""
    return np.stack([np.asarray(values, np.float64), np.ones(len(values))], axis=-1)[None]


def _paired(sides: Sides, first: Scored, second: Scored, seed: int) -> Compared:
    found = difference(first, second)
    swapped = permutation(first, second, draws=DRAWS, seed=seed)
    return Compared(
        name=sides.name,
        figure=sides.figure,
        first=first.estimate(),
        second=second.estimate(),
        difference=found.estimate,
        low=found.interval.low,
        high=found.interval.high,
        p_value=max(found.p_value, swapped.p_value),
        num_documents=first.num_documents,
    )


def apart(
    sides: Sides, first: Sequence[ScoredRecord], second: Sequence[ScoredRecord], seed: int, draws: int = DRAWS_APART
) -> Compared:
    """Compare a figure of different records.

    The interval is that of a difference of independent estimates, each with its own variance (Welch), and the second
    test divides all records anew at random.

    Args:
        sides: What is compared.
        first: Scores of one side.
        second: Scores of the other.
        seed: Seed of the random divisions.
        draws: Number of random divisions.
    """
    one, other = (own(scores, sides.figure) for scores in (first, second))
    left, right = difference(one, Zero(one)), difference(other, Zero(other))
    estimate, student = left.estimate - right.estimate, _joined(left, right)
    reach = None if student is None else student.quantile(0.025) * student.standard_error
    return Compared(
        name=sides.name,
        figure=sides.figure,
        first=left.estimate,
        second=right.estimate,
        difference=estimate,
        low=None if reach is None else estimate - reach,
        high=None if reach is None else estimate + reach,
        p_value=1.0
        if student is None
        else max(student.p_value(estimate), _divided(sides.figure, first, second, seed=seed, draws=draws)),
        num_documents=one.num_documents + other.num_documents,
    )


def own(scores: Sequence[ScoredRecord], figure: str) -> Scored:
    """Return one figure of some scores, by record; as sums where it is a mean over units, which is much faster."""
    groups = Counter(one.group for one in scores)
    names = sorted(groups)
    scored = RecordScores([scores], figure, names)
    each, sizes = scored.figures(np.eye(len(names)))[:, 0], np.asarray([groups[name] for name in names], np.float64)
    if not np.isfinite(each).all():
        return scored
    means = CountScores(np.stack([each * sizes, sizes], axis=-1)[None], ratio)
    trials = np.random.default_rng(0).integers(0, 4, (TRIALS, len(names))).astype(np.float64) + np.eye(
        TRIALS, len(names)
    )
    return means if np.allclose(means.figures(trials), scored.figures(trials), rtol=1e-9, atol=1e-12) else scored


def _joined(one: Difference, other: Difference) -> WeightedStudent | None:
    """Return the distribution of a difference of two independent estimates; None if one has no interval."""
    if one.student is None or other.student is None:
        return None
    return WeightedStudent([*one.student.parts, *other.student.parts])


def _divided(
    figure: str, first: Sequence[ScoredRecord], second: Sequence[ScoredRecord], *, seed: int, draws: int
) -> float:
    """Return the fraction of random divisions whose difference is at least that of the given one, itself included."""
    marked = [_prefixed(one, side) for side, scores in (("a", first), ("b", second)) for one in scores]
    every = own(marked, figure)
    groups = sorted({one.group for one in marked})
    given = np.asarray([[float(name[0] == "a") for name in groups]])
    generator = np.random.default_rng([seed, len(groups)])
    observed = abs(_gap(every, given)[0])
    extreme = done = 0
    while done < draws and extreme < ENOUGH:
        weights = generator.permuted(np.repeat(given, min(BLOCK, draws - done), axis=0), axis=1)
        gaps = np.abs(_gap(every, weights))
        extreme += int((~(gaps < observed - ROUNDING)).sum())
        done += len(weights)
    return (extreme + 1) / (done + 1)


def _gap(scored: Scored, weights: Counts) -> Counts:
    gap: Counts = scored.figures(weights)[:, 0] - scored.figures(1 - weights)[:, 0]
    return gap


def _prefixed(one: ScoredRecord, side: str) -> ScoredRecord:
    return ScoredRecord(f"{side} {one.id}", f"{side} {one.group}", one.statistics)


def each_record(scores: Sequence[ScoredRecord], figure: str) -> dict[str, float]:
    """Return the figure of every record alone, by its id; records for which it is undefined are left out."""
    names = sorted({one.group for one in scores})
    found = RecordScores([scores], figure, names).figures(np.eye(len(names)))[:, 0]
    return {name: float(value) for name, value in zip(names, found, strict=True) if np.isfinite(value)}


def chosen(scores: Sequence[ScoredRecord], groups: Sequence[bool] | BoolArray) -> list[ScoredRecord]:
    """Return the scores whose place is marked."""
    return [one for one, keep in zip(scores, groups, strict=True) if keep]
