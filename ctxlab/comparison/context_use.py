"""Whether a score uses context at all: figures by length and by place of the evidence, and against chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctxlab.comparison.gathered import Ran
from ctxlab.core.types import Table

EVIDENCE = "by_evidence"
"""Breakdown whose rows are distances of what an answer hangs on."""

BREAKDOWNS = ("by_length", "by_position", "by_evidence")

WHERE = {"by_length": "By length", "by_position": "By place", "by_evidence": "By distance of the evidence"}


@dataclass(frozen=True, slots=True)
class Bin:
    """A row of a breakdown, over all seeds of a candidate."""

    name: str
    cases: float
    """On average over seeds."""
    figure: float
    low: float | None
    """Lower bound of the figure's interval, on average; None where one is missing."""


def bins(ran: Ran, table: str) -> list[Bin]:
    """A breakdown of a candidate on the split that is reported; none where its task has no such table."""
    found = [result.breakdowns.get(ran.split, {}).get(table, ()) for result in ran.results]
    names = dict.fromkeys(_name(row) for rows in found for row in rows)
    return [one for name in names if (one := _bin(name, [r for rows in found for r in rows if _name(r) == name]))]


def _name(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values())))


def _bin(name: str, rows: Sequence[Mapping[str, Any]]) -> Bin | None:
    """The figure stands before its interval, and the number of cases before the figure."""
    columns = list(rows[0])
    if "low" not in columns or columns.index("low") < 2:
        return None
    figure, count = columns[columns.index("low") - 1], columns[columns.index("low") - 2]
    known = [row for row in rows if row[figure] is not None]
    if not known:
        return None
    lows = [row["low"] for row in known]
    low = None if any(value is None for value in lows) else float(np.mean(lows))
    return Bin(name, float(np.mean([_number(row[count]) for row in known])), _mean(known, figure), low)


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 1.0


def table(candidates: Sequence[Ran], name: str) -> Table | None:
    """A breakdown with a column for each candidate; None where no candidate has it."""
    found = {ran.title: {one.name: one for one in bins(ran, name)} for ran in candidates}
    names = dict.fromkeys(name for own in found.values() for name in own)
    if not names:
        return None
    head = next(
        next(iter(row)) for ran in candidates for row in ran.results[0].breakdowns[ran.split].get(name, ()) if row
    )
    rows = [(row, *(own[row].figure if row in own else None for own in found.values())) for row in names]
    return Table(name, WHERE[name], (head, *found), rows, "means over seeds")


def sentences(candidates: Sequence[Ran]) -> list[str]:
    """For which candidates what hangs on other sentences is told better than by guessing, and how far.

    A figure is better than guessing where its interval lies above chance. None of it is said where a task has no cases
    with known evidence, or where what guessing scores is not known.
    """
    at_chance, found = [], []
    chance = None
    for ran in candidates:
        own, chance = bins(ran, EVIDENCE), ran.results[0].chances.get(ran.split, {}).get(EVIDENCE)
        if not own or chance is None:
            continue
        above = [one for one in own if one.low is not None and one.low > chance]
        if above:
            found.append(_reach(ran.title, above[-1], own[-1], chance))
        else:
            mean = sum(one.cases * one.figure for one in own) / sum(one.cases for one in own)
            at_chance.append(f"{ran.title} ({mean:.2f})")
    if at_chance:
        found.append(
            f"Cases that need context are told no better than by chance ({chance:.2f}), near or far, by "
            f"{', '.join(at_chance)}: these scores do not use it."
        )
    return found


def _reach(title: str, reached: Bin, farthest: Bin, chance: float) -> str:
    """How far a candidate uses context."""
    far = f"{farthest.name} words away: {farthest.figure:.2f}"
    if reached is farthest:
        return f"{title} uses context as far as it was asked for ({far}, by chance {chance:.2f})."
    near = f"{reached.name} words away: {reached.figure:.2f}, by chance {chance:.2f}"
    return f"{title} uses context ({near}), but no farther ({far})."
