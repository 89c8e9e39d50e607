"""What ``ctxlab explain`` checks of its own explanations, and says in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.core.explanation import Explanation
from ctxlab.core.types import Table
from ctxlab.evaluation.explanations import hit_table, hits
from ctxlab.workbench.explaining.again import deletion, random_weights
from ctxlab.workbench.explaining.cases import COMPLETE, EVIDENCE, REACH, Case, Check, interval, ranked_of
from ctxlab.workbench.explaining.lines import Explained

ROUNDING = 1e-5
"""Completeness error that is rounding, for mechanisms whose values add up exactly."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was checked."""

    checks: Sequence[Check]
    tables: Sequence[Table]
    figures: dict[str, Any]
    """For scripts."""

    @property
    def broken(self) -> list[Check]:
        """Return the failed checks that say of a fault, where others say how good the explanations are."""
        return [check for check in self.checks if check.passed is False and check.name == REACH]


def check_all(
    documents: Sequence[Explained],
    explanation: Explanation,
    model: Any,
    *,
    count: int,
    seed: int,
    done: Callable[[float], None] = lambda _: None,
) -> Findings:
    """Check explanations of documents.

    Args:
        documents: The explained documents.
        explanation: The mechanism.
        model: The model, whose weights are randomised for a while.
        count: Targets of the checks that run the model again, those with known evidence first; 0 for none.
        seed: Seed of random orders and random weights.
        done: Called with the fraction that is finished.
    """
    cases = [
        Case(one, target, attribution)
        for one in documents
        for target, attribution in zip(one.targets, one.attributions, strict=True)
    ]
    again = [*(c for c in cases if c.target.evidence), *(c for c in cases if not c.target.evidence)][:count]
    tables, figures = list[Table](), dict[str, Any]()
    checks = [_reach(cases, figures), _complete(cases, explanation, figures)]
    _evidence(cases, checks, tables, figures)
    if again:
        total = 2 * len(again)
        deletion(again, checks, tables, figures, seed=seed, done=lambda n: done(n / total))
        random_weights(
            again,
            explanation,
            model,
            checks=checks,
            figures=figures,
            seed=seed,
            done=lambda n: done((len(again) + n) / total),
        )
    return Findings(checks, tables, figures)


def _reach(cases: Sequence[Case], figures: dict[str, Any]) -> Check:
    """Check that nothing is attributed to units that the score cannot depend on."""
    looked, worst, where = 0, 0.0, ""
    for case in cases:
        reach = case.explained.subject.reached(case.target)
        units = case.explained.subject.units[case.attribution.unit]
        for tokens, value in zip(units, case.attribution.values.tolist(), strict=True):
            if reach[tokens].any():
                continue
            looked += 1
            if abs(value) > worst:
                worst, where = abs(value), f"tokens {tokens[0]} to {tokens[-1]} of {case.explained.id}"
    figures["outside_of_reach"] = {"units": looked, "largest": worst}
    if not looked:
        return Check(
            REACH, None, "The strategy declares that every answer may depend on all that was read of its document."
        )
    what = f"{looked:,} {cases[0].attribution.unit}s are outside of the declared reach of an answer"
    if worst:
        return Check(
            REACH, False, f"{what}, and {where} have {worst:.2g}: does the strategy reach further than declared?"
        )
    return Check(REACH, True, f"{what}, and all have a value of exactly 0.")


def _complete(cases: Sequence[Case], explanation: Explanation, figures: dict[str, Any]) -> Check:
    """Check that values add up to the difference of the scores, where they should."""
    if not explanation.completes or not cases:
        return Check(COMPLETE, None, "The values of this mechanism do not add up to a difference of scores.")
    errors, late = [], 0
    for case in cases:
        found = case.attribution
        assert found.score is not None
        assert found.base is not None
        whole = found.score - found.base
        error = abs(found.values.sum() - whole)
        errors.append(error / abs(whole) if whole else error)
        late += not found.facts.get("complete", errors[-1] <= ROUNDING)
    mean = float(np.mean(errors))
    figures["completeness_error"] = {"cases": len(cases), "above": late, "largest": max(errors), "mean": mean}
    detail = (
        f"The values add up to the score less that of an empty document: largest error {max(errors):.2%}, mean "
        f"{mean:.2%} of the difference, over {len(cases):,} explanations"
    )
    if late:
        more = "; raise explanation.max_steps" if "steps" in cases[0].attribution.facts else ""
        return Check(COMPLETE, False, f"{detail}; {late:,} of them are above what is tolerated{more}.")
    return Check(COMPLETE, True, f"{detail}.")


def _evidence(cases: Sequence[Case], checks: list[Check], tables: list[Table], figures: dict[str, Any]) -> None:
    """Add how often known evidence is on top."""
    ranked = [ranked_of(case, case.attribution) for case in cases]
    found, table = hits(ranked), hit_table(ranked)
    if found is None or table is None:
        checks.append(Check(EVIDENCE, None, "No document says where its evidence is, as generated ones do."))
        return
    tables.append(table)
    figures["evidence"] = {"cases": found.count, "on_top": found.rate.value, "low": found.rate.low,
                           "high": found.rate.high, "chance": found.chance}  # fmt: skip
    unread = sum(_is_unread(case) for case in cases)
    rate = f"{found.rate.value:.2f}{interval(found.rate.low, found.rate.high)}"
    says = f"It is on top in {rate} of {found.count:,} cases; chance is {found.chance:.2f}"
    if unread:
        says += f"; in {unread:,} cases the strategy does not let it reach the answer"
    checks.append(Check(EVIDENCE, found.reads, f"{says}: {found.says}."))


def _is_unread(case: Case) -> bool:
    if not case.target.evidence:
        return False
    reach = case.explained.subject.reached(case.target)
    return not any(reach[tokens].any() for tokens in case.target.evidence)
