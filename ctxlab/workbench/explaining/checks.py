"""What ``ctxlab explain`` checks of its own explanations, and says in words."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctxlab.core.explanation import SENTENCE, WORD, Attribution, Explanation, Target
from ctxlab.core.types import BoolArray, IntArray, Table
from ctxlab.evaluation.breakdown import mean
from ctxlab.evaluation.explanations import (
    FRACTIONS,
    Deletion,
    Ranked,
    deletion_table,
    hidden_units,
    hit_table,
    hits,
    rank_correlation,
)
from ctxlab.workbench.explaining.lines import Explained

RANDOM_ORDERS = 3
"""Random orders that a deletion curve is compared with."""

CHANGED = 0.5
"""Mean rank correlation with the explanation of random weights up to which an explanation is said to depend on them."""

ROUNDING = 1e-5
"""Completeness error that is rounding, for mechanisms whose values add up exactly."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str
    passed: bool | None
    """None where it does not apply."""
    detail: str


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


REACH, COMPLETE, EVIDENCE, DELETION, RANDOM = (
    "declared reach", "completeness", "known evidence", "deletion", "random weights"
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Case:
    """One explained target."""

    explained: Explained
    target: Target
    attribution: Attribution


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
        _Case(one, target, attribution)
        for one in documents
        for target, attribution in zip(one.targets, one.attributions, strict=True)
    ]
    again = [*(c for c in cases if c.target.evidence), *(c for c in cases if not c.target.evidence)][:count]
    checks, tables, figures = [_reach(cases), _complete(cases, explanation)], list[Table](), dict[str, Any]()
    _evidence(cases, checks, tables, figures)
    if again:
        total = 2 * len(again)
        _deletion(again, checks, tables, figures, seed=seed, done=lambda n: done(n / total))
        _random(
            again,
            explanation,
            model,
            checks=checks,
            figures=figures,
            seed=seed,
            done=lambda n: done((len(again) + n) / total),
        )
    return Findings(checks, tables, figures)


def _reach(cases: Sequence[_Case]) -> Check:
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


def _complete(cases: Sequence[_Case], explanation: Explanation) -> Check:
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
    detail = (
        f"The values add up to the score less that of an empty document: largest error {max(errors):.2%}, mean "
        f"{float(np.mean(errors)):.2%} of the difference, over {len(cases):,} explanations"
    )
    if late:
        more = "; raise explanation.max_steps" if "steps" in cases[0].attribution.facts else ""
        return Check(COMPLETE, False, f"{detail}; {late:,} of them are above what is tolerated{more}.")
    return Check(COMPLETE, True, f"{detail}.")


def _evidence(cases: Sequence[_Case], checks: list[Check], tables: list[Table], figures: dict[str, Any]) -> None:
    """Add how often known evidence is on top."""
    ranked = [_ranked(case, case.attribution) for case in cases]
    found, table = hits(ranked), hit_table(ranked)
    if found is None or table is None:
        checks.append(Check(EVIDENCE, None, "No document says where its evidence is, as generated ones do."))
        return
    tables.append(table)
    figures["evidence"] = {"cases": found.count, "on_top": found.rate.value, "low": found.rate.low,
                           "high": found.rate.high, "chance": found.chance}  # fmt: skip
    unread = sum(_is_unread(case) for case in cases)
    rate = f"{found.rate.value:.2f}{_interval(found.rate.low, found.rate.high)}"
    says = f"It is on top in {rate} of {found.count:,} cases; chance is {found.chance:.2f}"
    if unread:
        says += f"; in {unread:,} cases the strategy does not let it reach the answer"
    verdict = {
        True: "the explanations find it, so that the model reads it",
        False: "that does not differ from chance: by these explanations the model does not read it",
        None: "there are too few documents for an interval",
    }[found.reads]
    checks.append(Check(EVIDENCE, found.reads, f"{says}: {verdict}."))


def _is_unread(case: _Case) -> bool:
    if not case.target.evidence:
        return False
    reach = case.explained.subject.reached(case.target)
    return not any(reach[tokens].any() for tokens in case.target.evidence)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"


def _ranked(case: _Case, attribution: Attribution) -> Ranked:
    """Return the sentences of a case with their values."""
    sentences = case.explained.subject.units[SENTENCE]
    values = case.explained.values(attribution, SENTENCE)
    assert values is not None
    return Ranked(
        case.explained.id,
        case.target.distance,
        values,
        own=_holding(sentences, [case.target.marked]),
        evidence=_holding(sentences, case.target.evidence),
    )


def _holding(units: Sequence[IntArray], tokens: Sequence[IntArray]) -> BoolArray:
    """Return (U,) which units hold any of some tokens."""
    wanted = np.concatenate([np.zeros(0, np.int64), *tokens])
    return np.array([bool(np.isin(own, wanted).any()) for own in units], np.bool_)


def _deletion(
    cases: Sequence[_Case],
    checks: list[Check],
    tables: list[Table],
    figures: dict[str, Any],
    *,
    seed: int,
    done: Callable[[int], None],
) -> None:
    """Add what hiding the units with the highest values does, compared with a random order.

    Args:
        cases: Explained targets.
        checks: Added to.
        tables: Added to.
        figures: Added to.
        seed: Seed of the random orders.
        done: Called with the number of finished cases.
    """
    unit = SENTENCE if cases[0].attribution.unit == SENTENCE else WORD
    random, curves = np.random.default_rng(seed), []
    for number, case in enumerate(cases, 1):
        curve = _curve(case, unit, random)
        curves += [curve] if curve is not None else []
        done(number)
    found = deletion_table(curves, unit)
    if found is None:
        checks.append(Check(DELETION, None, "There are too few units to hide one after the other."))
        return
    table, gain = found
    tables.append(table)
    figures["deletion"] = {"cases": len(curves), "gain": gain.value, "low": gain.low, "high": gain.high}
    better = None if gain.low is None else gain.low > 0
    says = {
        True: "they matter more than others",
        False: "they do not matter more than others",
        None: "one document has no interval",
    }
    detail = (
        f"Hiding the {unit}s with the highest values first lowers the score by {gain.value:.3f}"
        f"{_interval(gain.low, gain.high)} nats more than a random order, on average over the way: {says[better]}."
    )
    checks.append(Check(DELETION, better, detail))


def _curve(case: _Case, unit: str, random: np.random.Generator) -> Deletion | None:
    """Return the deletion curve of one target; None where fewer than two units can be hidden."""
    subject = case.explained.subject
    units, values = subject.units[unit], case.explained.values(case.attribution, unit)
    assert values is not None
    free = np.flatnonzero(~_holding(units, [case.target.marked]))
    if len(free) < 2:
        return None
    orders = [free[np.argsort(-values[free], kind="stable")], *(random.permutation(free) for _ in range(RANDOM_ORDERS))]
    hidden = [_tokens(units, hidden_units(order, fraction)) for order in orders for fraction in FRACTIONS]
    scores = subject.scores(case.target, hidden).reshape(len(orders), len(FRACTIONS))
    return Deletion(case.explained.id, scores[0], scores[1:].mean(axis=0))


def _tokens(units: Sequence[IntArray], chosen: IntArray) -> IntArray:
    return np.concatenate([np.zeros(0, np.int64), *(units[number] for number in chosen.tolist())])


def _random(
    cases: Sequence[_Case],
    explanation: Explanation,
    model: Any,
    *,
    checks: list[Check],
    figures: dict[str, Any],
    seed: int,
    done: Callable[[int], None],
) -> None:
    """Add how similar explanations of a model with random weights are (Adebayo et al. 2018, arXiv:1810.03292).

    Args:
        cases: Explained targets.
        explanation: The mechanism.
        model: The model.
        checks: Added to.
        figures: Added to.
        seed: Seed of the random weights.
        done: Called with the number of finished cases.
    """
    found: list[tuple[str, float]] = []
    ranked: list[Ranked] = []
    with shuffled(model, seed):
        for number, case in enumerate(cases, 1):
            other = explanation.attribute(case.explained.subject, case.target)
            similar = rank_correlation(case.attribution.values, other.values)
            found += [] if similar is None else [(case.explained.id, similar)]
            ranked.append(_ranked(case, other))
            done(number)
    by_chance = hits(ranked)
    if by_chance is not None:
        figures["evidence_with_random_weights"] = {"cases": by_chance.count, "on_top": by_chance.rate.value,
                                                   "chance": by_chance.chance}  # fmt: skip
    if not found:
        checks.append(Check(RANDOM, None, "There are too few units for a rank correlation."))
        return
    similar = mean([value for _, value in found], [record for record, _ in found])
    figures["random_weights"] = {"cases": len(found), "rank_correlation": similar.value, "low": similar.low,
                                 "high": similar.high}  # fmt: skip
    changes = similar.value <= CHANGED
    verdict = "depend" if changes else "largely do not depend"
    detail = (
        f"Rank correlation of absolute values with those of the same model with shuffled weights: {similar.value:.2f}"
        f"{_interval(similar.low, similar.high)} over {len(found):,} cases: the explanations {verdict} on what was learned"
    )
    if by_chance is not None:
        detail += f"; there known evidence is on top in {by_chance.rate.value:.2f} (chance {by_chance.chance:.2f})"
    checks.append(Check(RANDOM, changes, f"{detail}."))


@contextmanager
def shuffled(model: Any, seed: int) -> Iterator[None]:
    """Within the block, the values within every weight of a model are in random order."""
    made = torch.Generator().manual_seed(seed)
    weights = list(dict.fromkeys(model.parameters()))
    before = [weight.detach().clone() for weight in weights]
    try:
        with torch.no_grad():
            for weight in weights:
                order = torch.randperm(weight.numel(), generator=made).to(weight.device)
                weight.copy_(weight.flatten()[order].view_as(weight))
        yield
    finally:
        with torch.no_grad():
            for weight, values in zip(weights, before, strict=True):
                weight.copy_(values)
