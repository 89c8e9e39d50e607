"""The table over all jobs of a multirun: seeds averaged, a column for each key that differs, what is constant apart."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from ctxlab.core.types import Table
from ctxlab.reporting.tables import fits

SEED = "seed"
"""Key over whose values jobs are averaged."""

COSTS = {
    "train s": ("train_seconds", 1, ",.1f"),
    "ms/doc": ("evaluation_ms_per_document", 1, ",.1f"),
    "MiB": ("peak_memory_bytes", 2**20, ",.0f"),
}
"""Column → field of ``Row``, its unit, and the format."""


@dataclass(frozen=True, slots=True)
class Row:
    """One job, in the units of ``result.json``."""

    job: str
    overrides: str
    given: Mapping[str, str]
    """Key → value of its overrides."""
    metric: str
    score: float | None
    coverage_tokens: float | None
    train_seconds: float | None
    evaluation_ms_per_document: float | None
    tokens_per_second: float | None
    peak_memory_bytes: int | None
    status: str
    """``done`` or ``failed``."""
    error: str
    mistake: bool
    """Whether the user can fix the failure."""


def given(words: Iterable[str]) -> dict[str, str]:
    """Return key → value of overrides, without quotes."""
    pairs = (word.lstrip("+").partition("=") for word in words)
    return {key: value.strip("'\"") for key, _, value in pairs if key}


def varied(rows: Sequence[Row]) -> list[str]:
    """Return the keys whose values differ between jobs, in the order of the command; all keys of a single job."""
    return [key for key in _keys(rows) if len(rows) == 1 or len({row.given.get(key) for row in rows}) > 1]


def shared(rows: Sequence[Row]) -> dict[str, str]:
    """Return the overrides that all jobs have in common."""
    different = set(varied(rows))
    return {key: value for key, value in rows[0].given.items() if key not in different}


def _keys(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.given))


def table(rows: Sequence[Row], title: str, num_costs: int = 3) -> Table:
    """Return the table: a row for each configuration, averaged over its seeds, or for each job where none has several.

    Costs of jobs of one process are comparable: memory is given back and the peak is reset before each.

    Args:
        rows: The jobs.
        title: Title of the table.
        num_costs: Number of columns of costs, of ``COSTS``.
    """
    keys = [key for key in varied(rows) if key != SEED]
    groups: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.given.get(key) for key in keys), []).append(row)
    members = list(groups.values())
    averaged = len(members) < len(rows)
    counts = {len(group) for group in members}
    columns: dict[str, list[str]] = {}
    if not averaged:
        keys = varied(rows)
        columns["job"] = [group[0].job for group in members]
    elif len(counts) > 1:
        columns["seeds"] = [str(len(group)) for group in members]
    columns |= {name: [group[0].given.get(key, "") for group in members] for name, key in _short(keys).items()}
    columns |= _scores(members, averaged=averaged)
    columns["read"] = [_mean([row.coverage_tokens for row in _done(group)], ".1%") for group in members]
    for name, (field, unit, form) in list(COSTS.items())[:num_costs]:
        columns[name] = [_mean([_scaled(row, field, unit) for row in _done(group)], form) for group in members]
    if any(row.status != "done" for row in rows):
        columns["status"] = [_status(group) for group in members]
    each = f"{counts.pop()} seeds" if len(counts) == 1 else "seeds"
    note = f"means over {each}, ± their standard deviation" if averaged else ""
    return Table("jobs", title, list(columns), list(zip(*columns.values(), strict=True)), note=note)


def fitting(rows: Sequence[Row], title: str, width: int) -> Table:
    """Return the table with as many costs as fit the width without a broken name; ``sweep.csv`` has all of them."""
    several = [table(rows, title, num_costs) for num_costs in range(len(COSTS), -1, -1)]
    return next((one for one in several if fits(one, width)), several[-1])


def _scores(members: Sequence[Sequence[Row]], *, averaged: bool) -> dict[str, list[str]]:
    metrics = {row.metric for group in members for row in group if row.metric}
    found = [[row.score for row in _done(group) if row.score is not None] for group in members]
    columns = {metrics.pop() if len(metrics) == 1 else "metric": [_mean(own, ".3f") for own in found]}
    if averaged:
        columns["±"] = [f"{stdev(own):.3f}" if len(own) > 1 else "" for own in found]
    return columns


def _done(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.status == "done"]


def _scaled(row: Row, field: str, unit: float) -> float | None:
    value = getattr(row, field)
    return None if value is None else value / unit


def _short(keys: Sequence[str]) -> dict[str, str]:
    """Return the last part of each key, if it is unique, else the key itself → the key."""
    lasts = [re.split(r"[./]", key)[-1] for key in keys]
    return {last if lasts.count(last) == 1 else key: key for key, last in zip(keys, lasts, strict=True)}


def _mean(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return format(mean(known), form) if known else ""


def _status(rows: Sequence[Row]) -> str:
    num_failed = len(rows) - len(_done(rows))
    if not num_failed:
        return "done"
    return "failed" if num_failed == len(rows) else f"{num_failed} failed"
