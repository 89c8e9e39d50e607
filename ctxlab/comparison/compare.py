"""Comparison of all candidates with one baseline: differences, tests, verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.comparison.difference import Difference, difference
from ctxlab.comparison.holm import adjusted, unreachable
from ctxlab.comparison.permutation import DRAWS, Permutation, permutation
from ctxlab.comparison.scored import Scored
from ctxlab.comparison.verdict import Verdict, detectable, verdict


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds of a comparison."""

    margin: float = 0.01
    """Differences up to this size do not matter, in units of the figure."""
    lower_is_better: bool = False
    """Whether a lower figure is better."""
    level: float = 0.05
    """Family-wise error rate: probability that any candidate is called different although none is."""
    power: float = 0.8
    """Statistical power for which the detectable difference is computed."""
    draws: int = DRAWS
    """Number of random swaps if not all are tried."""
    seed: int = 0
    """Seed of the random swaps."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate or the baseline: a strategy at a context length."""

    name: str
    scored: Scored


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate compared with the baseline."""

    name: str
    difference: Difference
    permutation: Permutation
    p_value: float
    """The larger p-value of the two tests."""
    adjusted_p: float
    """Adjusted by Holm's method over all candidates."""
    verdict: Verdict
    detectable: float | None
    """The smallest detectable difference; None if none is."""
    unreachable: str | None
    """Sentence that says why no difference can be significant; None if one can."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every candidate compared with the baseline, in the order given."""

    baseline: str
    rows: tuple[Row, ...]
    scope: str
    """Sentence that says to what the verdicts generalise."""


MODELS = "With one seed this compares two trained models on new documents, not two strategies: other seeds may differ."

STRATEGIES = "Intervals and verdicts are for new documents and new seeds."


def compare(baseline: Contender, candidates: Sequence[Contender], rules: Rules) -> Comparison:
    """Compare each candidate with the baseline, on the same documents and seeds.

    A candidate is called better or worse if two tests agree after Holm's adjustment. The permutation test treats the
    trained models as fixed, so that a difference must also hold for new seeds by the t test; the t test is approximate
    if documents are few and uneven, so that a difference must also hold by the permutation test.

    Args:
        baseline: The contender that all others are compared with.
        candidates: At least one.
        rules: Margin, direction and level.

    Raises:
        ValueError: If a candidate has other documents or seeds than the baseline.
    """
    for candidate in candidates:
        if not np.array_equal(candidate.scored.reported, baseline.scored.reported):
            raise ValueError(f"{candidate.name} and {baseline.name} report different documents or seeds")
    tested = [_test(candidate, baseline.scored, rules) for candidate in candidates]
    holm = adjusted([one.p_value for one in tested])
    rows = tuple(_row(one, adjusted_p, len(tested), rules) for one, adjusted_p in zip(tested, holm, strict=True))
    return Comparison(baseline.name, rows, MODELS if baseline.scored.num_seeds == 1 else STRATEGIES)


@dataclass(frozen=True, slots=True)
class _Tested:
    """A candidate before its p-value is adjusted."""

    name: str
    difference: Difference
    permutation: Permutation

    @property
    def p_value(self) -> float:
        return max(self.difference.p_value, self.permutation.p_value)


def _test(candidate: Contender, baseline: Scored, rules: Rules) -> _Tested:
    return _Tested(
        candidate.name,
        difference(candidate.scored, baseline, 1 - rules.level),
        permutation(candidate.scored, baseline, draws=rules.draws, seed=rules.seed),
    )


def _row(tested: _Tested, adjusted_p: float, num_candidates: int, rules: Rules) -> Row:
    found, swaps = tested.difference, tested.permutation
    why_not = unreachable(swaps.smallest_p, num_candidates, swaps.num_documents, rules.level)
    return Row(
        name=tested.name,
        difference=found,
        permutation=swaps,
        p_value=tested.p_value,
        adjusted_p=adjusted_p,
        verdict=verdict(
            found, adjusted_p, margin=rules.margin, lower_is_better=rules.lower_is_better, level=rules.level
        ),
        detectable=None if why_not else detectable(found.student, rules.level / num_candidates, rules.power),
        unreachable=why_not,
    )
