"""The smallest value of a key that is as good as the best one, such as the shortest context that is enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctxlab.comparison.difference import Difference, difference
from ctxlab.comparison.records import contenders
from ctxlab.core.result import Result
from ctxlab.evaluation import scores
from ctxlab.sweeping.objectives import SPLIT
from ctxlab.sweeping.study_file import Smallest

SEED = "seed"

MODELS = " With one seed this is about trained models, not about {key} in general."


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished trial whose run directory is here."""

    parameters: dict[str, Any]
    result: Result
    folder: Path


def smallest(key: str, finished: Sequence[Finished], margin: float) -> Smallest | str:
    """Return the smallest value of a key whose interval against the best one lies above −margin, and the sentence.

    For each value and seed the trial counts that is best on the documents that choose; the best value is the one whose
    trials are best there. Differences are of the split that chose nothing, where there is one.

    Args:
        key: A key of the space.
        finished: The trials.
        margin: Differences of the primary metric up to this size do not matter.

    Returns:
        The outcome, or a sentence that says why nothing is known.
    """
    chosen = _chosen(key, finished)
    seeds = [set(by_seed) for by_seed in chosen.values()]
    shared = sorted(set.intersection(*seeds)) if seeds else []
    if len(chosen) < 2 or not shared:
        return f"Which {key} is enough is not known: that takes finished trials of two values with the same seed."
    rows = {value: [by_seed[seed] for seed in shared] for value, by_seed in chosen.items()}
    lower = bool(finished[0].result.lower_is_better)
    best = max(sorted(rows), key=lambda value: float(np.mean([_selected(one) for one in rows[value]])))
    split = "test" if "test" in finished[0].result.metrics else SPLIT
    figure = finished[0].result.primary_metric
    read = {
        str(value): [scores.read(one.folder / scores.FOLDER / f"{split}.jsonl") for one in rows[value]]
        for value in rows
    }
    scored = {one.name: one.scored for one in contenders(read, figure)}
    found = {value: difference(scored[str(value)], scored[str(best)]) for value in rows if value != best}
    enough = {value: _is_enough(one, margin, lower_is_better=lower) for value, one in found.items()} | {best: True}
    least = min(value for value, is_enough in enough.items() if is_enough)
    table = [
        _row(
            value, scored[str(value)].estimate(), num_seeds=len(shared), found=found.get(value), is_enough=enough[value]
        )
        for value in sorted(rows)
    ]
    sentence = _sentence(key, figure, best=best, least=least, found=found, margin=margin)
    if len(shared) == 1:
        sentence += MODELS.format(key=key)
    return Smallest(key=key, best=best, smallest=least, margin=margin, rows=table, sentence=sentence)


def _chosen(key: str, finished: Sequence[Finished]) -> dict[Any, dict[Any, Finished]]:
    """Return value → seed → the trial that is best on the documents that choose."""
    found: dict[Any, dict[Any, Finished]] = {}
    for one in finished:
        by_seed = found.setdefault(one.parameters[key], {})
        seed = one.parameters.get(SEED, 0)
        if seed not in by_seed or _selected(one) > _selected(by_seed[seed]):
            by_seed[seed] = one
    return found


def _selected(one: Finished) -> float:
    """Return the score on the documents that choose, higher ones better."""
    value = one.result.primary(SPLIT)
    return float("-inf") if value is None else -value if one.result.lower_is_better else value


def _is_enough(found: Difference, margin: float, *, lower_is_better: bool) -> bool:
    """Return whether the whole interval lies above −margin: worse by more is ruled out."""
    low, high = found.interval.low, found.interval.high
    if low is None or high is None:
        return False
    return high < margin if lower_is_better else low > -margin


def _row(value: Any, score: float, num_seeds: int, found: Difference | None, is_enough: bool) -> dict[str, Any]:
    return {
        "value": value,
        "score": score,
        "num_seeds": num_seeds,
        "difference": found.estimate if found else 0.0,
        "low": found.interval.low if found else None,
        "high": found.interval.high if found else None,
        "enough": is_enough,
    }


def _sentence(key: str, figure: str, best: Any, least: Any, found: dict[Any, Difference], margin: float) -> str:
    if all(one.estimate == one.interval.low == one.interval.high == 0 for one in found.values()):
        return (
            f"Every {key} has the same {figure} on all documents, so that this does not tell which is enough: nothing "
            "depends on it, or nothing was learned yet."
        )
    if least != best:
        return (
            f"{key}={least} is enough: against {best}, the best, it changes {figure} by {_change(found[least])}, less "
            f"than {margin:g} worse."
        )
    shorter = [value for value in found if value < best]
    if not shorter:
        return f"{key}={best}, the smallest, is also the best."
    nearest = max(shorter)
    if found[nearest].interval.low is None:
        return f"Which {key} is enough is not known: one document gives no interval; {best} is best."
    return (
        f"No {key} below {best}, the best, is shown to be enough: {nearest} changes {figure} by "
        f"{_change(found[nearest])}, where at most {margin:g} worse would be."
    )


def _change(found: Difference) -> str:
    interval = found.interval
    between = "" if interval.low is None else f" [{interval.low:+.3f}, {interval.high:+.3f}]"
    return f"{found.estimate:+.3f}{between}".replace("-", "−")
