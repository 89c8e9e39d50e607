"""All candidates against one baseline: differences, tests, verdicts."""

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
    """How a comparison decides."""

    margin: float = 0.01
    """Differences up to this size do not matter, in units of the figure."""
    lower_is_better: bool = False
    """Of the figure."""
    level: float = 0.05
    """Chance that any candidate is called different although none is; intervals contain 1 − level."""
    power: float = 0.8
    """With which the smallest difference is named that would have been found."""
    draws: int = DRAWS
    """Of random swaps, where not all are tried."""
    seed: int = 0
    """Of these."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate or the baseline: a strategy at a context length."""

    name: str
    scored: Scored


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate against the baseline."""

    name: str
    difference: Difference
    permutation: Permutation
    p_value: float
    """The larger one of the two tests."""
    adjusted_p: float
    """By Holm, over all candidates."""
    verdict: Verdict
    detectable: float | None
    """The smallest difference that would have been found; None where none could be."""
    unreachable: str | None
    """Why no difference can be significant; None where one can be."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every candidate against the baseline, in the order given."""

    baseline: str
    rows: tuple[Row, ...]
    scope: str
    """What the verdicts are about, as a sentence."""


MODELS = "With one seed this compares two trained models on new documents, not two strategies: other seeds may differ."

STRATEGIES = "Intervals and verdicts are for new documents and new seeds."


def compare(baseline: Contender, candidates: Sequence[Contender], rules: Rules) -> Comparison:
    """Compare each candidate with the baseline, on the same documents and seeds.

    A candidate is called better or worse where two tests agree after Holm's adjustment. Swaps of documents take the
    trained models as they are, so that a difference must also hold for new seeds by the t test; that one is approximate
    where documents are few and uneven, so that it must also hold for the swaps.

    Args:
        baseline: What all others are compared with.
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
