"""Whether scores depend on context at all: figures by length and distance of the evidence, compared with chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.comparison.candidate_results import CandidateResults
from ctxlab.core.types import Table

EVIDENCE = "by_evidence"
"""Breakdown by the distance of the evidence that an answer depends on."""

BREAKDOWNS = ("by_length", "by_position", "by_evidence")

WHERE = {"by_length": "By length", "by_position": "By place", "by_evidence": "By distance of the evidence"}


@dataclass(frozen=True, slots=True)
class Bin:
    """A row of a breakdown, over all seeds of a candidate."""

    name: str
    cases: float
    """Mean number over seeds."""
    figure: float
    low: float | None
    """Mean lower bound of the figure's interval; None if one is missing."""
    high: float | None = None
    """Mean upper bound."""


def bins(candidate: CandidateResults, table: str) -> list[Bin]:
    """Return a breakdown of a candidate on the reported split; empty if its task has no such table."""
    found = [result.breakdowns.get(candidate.split, {}).get(table, ()) for result in candidate.results]
    names = dict.fromkeys(_name(row) for rows in found for row in rows)
    return [one for name in names if (one := _bin(name, [r for rows in found for r in rows if _name(r) == name]))]


def _name(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values())))


def _bin(name: str, rows: Sequence[Mapping[str, Any]]) -> Bin | None:
    """Combine the rows of all seeds; columns are the number of cases, the figure, its interval, in that order."""
    columns = list(rows[0])
    if "low" not in columns or columns.index("low") < 2:
        return None
    figure, count = columns[columns.index("low") - 1], columns[columns.index("low") - 2]
    known = [row for row in rows if row[figure] is not None]
    if not known:
        return None
    cases = float(np.mean([_number(row[count]) for row in known]))
    return Bin(name, cases, _mean(known, figure), low=_bound(known, "low"), high=_bound(known, "high"))


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


def _bound(rows: Sequence[Mapping[str, Any]], column: str) -> float | None:
    return None if any(row.get(column) is None for row in rows) else _mean(rows, column)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 1.0


def table(candidates: Sequence[CandidateResults], name: str) -> Table | None:
    """Return a breakdown with a column for each candidate; None if no candidate has it."""
    found = {candidate.title: {one.name: one for one in bins(candidate, name)} for candidate in candidates}
    names = dict.fromkeys(name for own in found.values() for name in own)
    if not names:
        return None
    head = next(
        next(iter(row))
        for candidate in candidates
        for row in candidate.results[0].breakdowns[candidate.split].get(name, ())
        if row
    )
    rows = [(row, *(own[row].figure if row in own else None for own in found.values())) for row in names]
    return Table(name, WHERE[name], columns=(head, *found), rows=rows, note="means over seeds")


def sentences(candidates: Sequence[CandidateResults]) -> list[str]:
    """Say which candidates score better than chance on context-dependent cases, and up to which distance.

    A figure is better than chance if its interval is above it. Nothing is said if a task has no cases with known
    evidence, or if the score of guessing is unknown.
    """
    chance = next((one for candidate in candidates if (one := _chance(candidate)) is not None), None)
    if chance is None:
        return []
    at_chance, found = [], []
    for candidate in candidates:
        own = bins(candidate, EVIDENCE)
        if not own:
            continue
        above = [one for one in own if one.low is not None and one.low > chance]
        if above:
            found.append(_reach(candidate.title, above[-1], own[-1], chance))
        else:
            mean = sum(one.cases * one.figure for one in own) / sum(one.cases for one in own)
            at_chance.append(f"{candidate.title} ({mean:.2f})")
    if at_chance:
        found.append(
            f"On cases that need context, {', '.join(at_chance)} scored no better than chance ({chance:.2f}), near or "
            "far: these scores do not use context."
        )
    return found


def _chance(candidate: CandidateResults) -> float | None:
    return candidate.results[0].chances.get(candidate.split, {}).get(EVIDENCE)


def _reach(title: str, reached: Bin, farthest: Bin, chance: float) -> str:
    """Describe up to which distance a candidate uses context."""
    far = f"{farthest.name} words away: {farthest.figure:.2f}"
    if reached is farthest:
        return f"{title} uses context up to the largest tested distance ({far}, chance {chance:.2f})."
    near = f"{reached.name} words away: {reached.figure:.2f}, chance {chance:.2f}"
    return f"{title} uses context ({near}), but no farther ({far})."
