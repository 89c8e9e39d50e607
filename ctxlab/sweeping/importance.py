"""How much of the spread of the score a parameter accounts for by itself.

For each parameter: ω² of a one-way analysis of variance (Hays 1963, Statistics for Psychologists, section 12.18), over
the values of a choice or over four groups of a range with equally many trials, cut off at 0. A parameter that does
nothing is near 0, also with few trials, where plain shares of variance or forests are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctxlab.sweeping.parameters import Choice, Parameter, Stored
from ctxlab.sweeping.space import Space

LEAST = 10
"""Finished trials from which importance is computed."""

GROUPS = 4
"""Groups into which the values of a range are divided."""


@dataclass(frozen=True, slots=True)
class Importance:
    """Parameter → fraction of the variance that it accounts for, or why that is not known."""

    shares: Mapping[str, float]
    """The most important first; empty if not known."""
    reason: str = ""
    """Why it is not known."""

    @property
    def sentence(self) -> str:
        """One sentence on it."""
        if not self.shares:
            return f"Which key matters is not known: {self.reason}."
        listed = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items()).replace("%", " %")
        return f"Each key by itself accounts for this much of the spread of the score: {listed}."


def importance(space: Space, points: Sequence[Mapping[str, Stored]], scores: Sequence[float]) -> Importance:
    """Return the importance of every parameter.

    Args:
        space: The space.
        points: Point of each finished trial.
        scores: Score of each.
    """
    if len(scores) < LEAST:
        return Importance({}, f"{len(scores)} trials have finished, and it takes {LEAST}")
    if max(scores) - min(scores) <= 1e-12 * max(map(abs, scores)):
        return Importance({}, "all trials have the same score")
    found = {one.name: _share(_groups(one, [point[one.name] for point in points]), scores) for one in space.parameters}
    return Importance(dict(sorted(found.items(), key=lambda pair: -pair[1])))


def _groups(one: Parameter, values: Sequence[Stored]) -> list[int]:
    """Return the group of each trial: equal values are in one group."""
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    if isinstance(one, Choice) or len(distinct) <= GROUPS:
        return [distinct.index(value) for value in values]
    ordered = sorted(float(value) for value in values)
    ends = [ordered[len(ordered) * part // GROUPS] for part in range(1, GROUPS)]
    return [sum(float(value) >= end for end in ends) for value in values]


def _share(groups: Sequence[int], scores: Sequence[float]) -> float:
    """Return ω²: (SS_between − df_between · MS_within) / (SS_total + MS_within), at least 0."""
    mean = sum(scores) / len(scores)
    by_group: dict[int, list[float]] = {group: [] for group in groups}
    for group, score in zip(groups, scores, strict=True):
        by_group[group].append(score)
    total: float = sum((score - mean) ** 2 for score in scores)
    between: float = sum(len(own) * (sum(own) / len(own) - mean) ** 2 for own in by_group.values())
    num_within = len(scores) - len(by_group)
    if num_within < 1 or len(by_group) < 2:
        return 0.0
    within = (total - between) / num_within
    return max((between - (len(by_group) - 1) * within) / (total + within), 0.0)
