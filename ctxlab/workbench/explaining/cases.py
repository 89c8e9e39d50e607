"""What the checks of ``ctxlab explain`` are about, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxlab.core.explanation import SENTENCE, Attribution, Target
from ctxlab.core.types import BoolArray, IntArray
from ctxlab.evaluation.explanations import Ranked
from ctxlab.workbench.explaining.lines import Explained

REACH, COMPLETE, EVIDENCE, DELETION, RANDOM = (
    "declared reach", "completeness", "known evidence", "deletion", "random weights"
)  # fmt: skip
"""Names of the checks."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str
    passed: bool | None
    """None where it does not apply."""
    detail: str


@dataclass(frozen=True, eq=False)
class Case:
    """One explained target."""

    explained: Explained
    target: Target
    attribution: Attribution


def interval(low: float | None, high: float | None) -> str:
    """Return an interval in brackets, after a space; empty where there is none."""
    return "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"


def ranked_of(case: Case, attribution: Attribution) -> Ranked:
    """Return the sentences of a case with their values."""
    sentences = case.explained.subject.units[SENTENCE]
    values = case.explained.values(attribution, SENTENCE)
    assert values is not None
    return Ranked(
        case.explained.id,
        case.target.distance,
        values,
        own=holding(sentences, [case.target.marked]),
        evidence=holding(sentences, case.target.evidence),
    )


def holding(units: Sequence[IntArray], tokens: Sequence[IntArray]) -> BoolArray:
    """Return (U,) which units hold any of some tokens."""
    wanted = np.concatenate([np.zeros(0, np.int64), *tokens])
    return np.array([bool(np.isin(own, wanted).any()) for own in units], np.bool_)
