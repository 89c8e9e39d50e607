"""``scores/<split>.jsonl``: the contribution of every record to the figures of its split, and figures computed from it.

A line is ``{"id": …, "group": …, "statistics": {<name>: {…}}}``. A name is that of a file under
``ctxlab/evaluation/sufficient``, or the full name of a plug-in's module, which documents the values and computes
figures from them. Nothing here needs torch, so that runs can be compared without their models.

Shape legend: N units (lines), G records (groups), R weightings.
"""

import json
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from ctxlab.core import plugins
from ctxlab.core.errors import UserError
from ctxlab.core.files import write_text
from ctxlab.core.types import IntArray, ScoredRecord
from ctxlab.evaluation.statistic import Figures, Statistic
from ctxlab.evaluation.statistics import Counts

FOLDER = "scores"
"""Folder in a run directory."""

_PACKAGE = "ctxlab.evaluation.sufficient"


def statistic(name: str) -> Statistic:
    """Return the ``STATISTIC`` of ``ctxlab/evaluation/sufficient/<name>.py``, or of a plug-in's module by full name.

    Raises:
        UserError: There is none.
    """
    found = getattr(plugins.find_module(_PACKAGE, name), "STATISTIC", None)
    if not isinstance(found, Statistic):
        writer = f"the plug-in {name.split('.')[0]}, not installed here" if "." in name else "another version of ctxlab"
        raise UserError(
            f"There is no statistic called '{name}', as the scores were written by {writer}: evaluate the run again."
        )
    return found


def figures(records: Sequence[ScoredRecord], weights: Counts | None = None) -> Figures:
    """Compute all figures of a split under every weighting of its units; NaN where a figure is undefined.

    Args:
        records: N units, at least one, all with the same statistics.
        weights: (R, N) how often each unit counts; None is one weighting, in which each counts once. Weights of whole
            records are expanded to units by ``weights[:, groups(records)]``.
    """
    found: dict[str, Counts] = {}
    for name in records[0].statistics:
        found |= statistic(name).figures([record.statistics[name] for record in records], weights)
    return found


def metrics(records: Sequence[ScoredRecord]) -> dict[str, float]:
    """Return the figures of a split for ``result.json``: each unit counts once, and undefined figures are left out."""
    found = {name: float(value[0]) for name, value in figures(records).items()}
    return {name: value for name, value in found.items() if not isnan(value)}


def groups(records: Sequence[ScoredRecord]) -> IntArray:
    """Return (N,) index of the record that each unit belongs to, in order of first occurrence."""
    places = {name: place for place, name in enumerate(dict.fromkeys(record.group for record in records))}
    return np.asarray([places[record.group] for record in records], np.int64)


def write(path: Path, records: Sequence[ScoredRecord]) -> None:
    """Write the file, atomically."""
    path.parent.mkdir(exist_ok=True)
    write_text(path, "".join(json.dumps(line(record), ensure_ascii=False) + "\n" for record in records))


def read(path: Path) -> list[ScoredRecord]:
    """Read the units of a file that ``write`` made; raises UserError naming the file where it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            records = [parse(json.loads(row), f"{path} line {number}") for number, row in enumerate(file, start=1)]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as scores ({error}): evaluate the run again.") from error
    if not records:
        raise UserError(f"{path} has no records: evaluate the run again.")
    names = records[0].statistics.keys()
    for number, record in enumerate(records, start=1):
        if record.statistics.keys() != names:
            raise UserError(f"{path} line {number} has other statistics than line 1: evaluate the run again.")
    _check(path, records)
    return records


def _check(path: Path, records: Sequence[ScoredRecord]) -> None:
    """Raise UserError where figures cannot be computed from the values, by computing them."""
    try:
        figures(records)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{path} has values from which no figure can be computed ({reason}): evaluate the run again."
        ) from error


def line(record: ScoredRecord) -> dict[str, Any]:
    """Return a unit as plain data."""
    return {"id": record.id, "group": record.group, "statistics": record.statistics}


def parse(row: Any, origin: str) -> ScoredRecord:
    """Return the unit of a parsed line; raises UserError naming ``origin`` where it is not one."""
    if (
        isinstance(row, dict)
        and isinstance(row.get("id"), str)
        and isinstance(row.get("group"), str)
        and isinstance(row.get("statistics"), dict)
        and all(isinstance(values, dict) for values in row["statistics"].values())
    ):
        return ScoredRecord(row["id"], row["group"], row["statistics"])
    raise UserError(f"{origin} is not a line of scores (id, group, statistics): evaluate the run again.")
