"""Levels that a score is compared with: random guessing, and answers without a model."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from ctxlab.core.result import Result
from ctxlab.reporting.charts.series import Reference

OVERALL = "overall"
"""Table of the figures over all documents."""

CHANCE = "chance"

BY_CHANCE = "by chance"
"""Column of ``overall`` with the figure of random guessing."""

OF_MODEL = "the model"
"""First cell of the row of the model in a table whose other rows are baselines."""


def references(result: Result, split: str) -> list[Reference]:
    """Return the levels of the primary metric on a split: chance, then baselines without a model; empty if unknown."""
    rows = result.breakdowns.get(split, {}).get(OVERALL, ())
    found = [
        (CHANCE, result.chances.get(split, {}).get(OVERALL)),
        *((CHANCE, row.get(BY_CHANCE)) for row in rows if _folded(_first(row)) == _folded(result.primary_metric)),
        *_baselines(rows, result.primary_metric),
    ]
    known = {name: value for name, value in found if isinstance(value, int | float) and isfinite(value)}
    return [Reference(name, float(value)) for name, value in known.items()]


def of_rows(rows: Sequence[Mapping[str, Any]], figure: str) -> list[Reference]:
    """Return the baselines in the rows of a table of which the first is the model's."""
    return [Reference(name, float(value)) for name, value in _baselines(rows, figure) if isinstance(value, int | float)]


def _baselines(rows: Sequence[Mapping[str, Any]], figure: str) -> list[tuple[str, Any]]:
    if not rows or _first(rows[0]) != OF_MODEL:
        return []
    return [(_first(row), row.get(figure)) for row in rows[1:]]


def _first(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values()), ""))


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower().replace("_at_", "@"))
