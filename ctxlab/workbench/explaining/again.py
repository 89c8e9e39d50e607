"""Checks of explanations that run the model again: hiding what has the highest values, and random weights."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ctxlab.core.explanation import SENTENCE, WORD, Explanation
from ctxlab.core.types import IntArray, Table
from ctxlab.evaluation.breakdown import mean
from ctxlab.evaluation.explanations import (
    FRACTIONS,
    LEAST_GAIN,
    Deletion,
    Ranked,
    deletion_table,
    hidden_units,
    hits,
    matters,
    rank_correlation,
)
from ctxlab.workbench.explaining.cases import DELETION, RANDOM, Case, Check, holding, interval, ranked_of

RANDOM_ORDERS = 3
"""Random orders that a deletion curve is compared with."""

CHANGED = 0.5
"""Mean rank correlation with the explanation of random weights up to which an explanation is said to depend on them."""


def deletion(
    cases: Sequence[Case],
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
    random, curves = np.random.default_rng(seed), list[Deletion]()
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
    better = matters(gain)
    says = {True: "they matter more than others", None: "one document has no interval"}
    says[False] = (
        "they do not matter more than others"
        if gain.low is None or gain.low <= 0
        else (
            f"that is less than the {LEAST_GAIN:g} from which on it counts, so that they hardly matter more than others"
        )
    )
    detail = (
        f"Hiding the {unit}s with the highest values first lowers the score by {gain.value:.3f}"
        f"{interval(gain.low, gain.high)} nats more than a random order, on average over the way: {says[better]}."
    )
    checks.append(Check(DELETION, better, detail))


def _curve(case: Case, unit: str, random: np.random.Generator) -> Deletion | None:
    """Return the deletion curve of one target; None where fewer than two units can be hidden."""
    subject = case.explained.subject
    units, values = subject.units[unit], case.explained.values(case.attribution, unit)
    assert values is not None
    free = np.flatnonzero(~holding(units, [case.target.marked]))
    if len(free) < 2:
        return None
    orders = [free[np.argsort(-values[free], kind="stable")], *(random.permutation(free) for _ in range(RANDOM_ORDERS))]
    hidden = [_tokens(units, hidden_units(order, fraction)) for order in orders for fraction in FRACTIONS]
    scores = subject.scores(case.target, hidden).reshape(len(orders), len(FRACTIONS))
    return Deletion(case.explained.id, scores[0], scores[1:].mean(axis=0))


def _tokens(units: Sequence[IntArray], chosen: IntArray) -> IntArray:
    return np.concatenate([np.zeros(0, np.int64), *(units[number] for number in chosen.tolist())])


def random_weights(
    cases: Sequence[Case],
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
            own = rank_correlation(case.attribution.values, other.values)
            found += [] if own is None else [(case.explained.id, own)]
            ranked.append(ranked_of(case, other))
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
        "Rank correlation of absolute values with those of the same model with shuffled weights: "
        f"{similar.value:.2f}{interval(similar.low, similar.high)} over {len(found):,} cases: the explanations "
        f"{verdict} on what was learned"
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
