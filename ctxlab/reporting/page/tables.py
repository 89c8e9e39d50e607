"""Tables of a group of runs, for the page and for Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ctxlab.comparison import context_use
from ctxlab.core.result import Verification
from ctxlab.core.types import Table
from ctxlab.evaluation.statistics import Interval
from ctxlab.reporting.charts.series import Value, between
from ctxlab.reporting.groups import Candidate, Group
from ctxlab.reporting.page.figures import COSTS, bin_names, breakdowns, costs
from ctxlab.reporting.run_directories import RunDirectory
from ctxlab.reporting.settings import differing


@dataclass(frozen=True, slots=True)
class Valued:
    """A cell with the number by which its column is sorted."""

    text: str
    value: float

    def __str__(self) -> str:
        return self.text


def valued(value: float | None, form: str) -> Valued | None:
    """Return a number as a cell; None, which is shown as a dash, if it is unknown or not a number."""
    return None if value is None or not isfinite(value) else Valued(format(value, form).replace("-", "−"), value)


def leaderboard(group: Group) -> Table:
    """Return scores with intervals, verdicts if there are any, what was never read, and the main costs."""
    columns = ["candidate", group.figure, "95 %", "seeds"]
    columns += [f"against {group.board.baseline}", "verdict", "p (Holm)", "detectable"] if group.board else []
    columns += ["tokens never read", "gold never read", "training s", "ms/document", "peak MiB"]
    rows = [_leader(one, group) for one in group.candidates]
    notes = ["95 %: interval for new documents and new seeds"]
    if any(len(one.runs) == 1 for one in group.candidates):
        notes.append("of a single seed, for new documents only")
    if group.board:
        notes.append("detectable: difference that would have been found with a probability of 80 %")
    return Table("leaderboard", "Leaderboard", columns, rows, note="; ".join(notes))


def _leader(one: Candidate, group: Group) -> list[Any]:
    coverage = one.results.results[0].coverage.get(group.split)
    spent, row = costs(one), one.entry.row if one.entry else None
    cells: list[Any] = [one.title, number(one.estimate), interval(one.interval), len(one.runs)]
    if group.board and row:
        found = row.difference
        cells += [
            Valued(f"{found.estimate:+.3f}{_between(found.interval)}".replace("-", "−"), found.estimate),
            str(row.verdict),
            valued(row.adjusted_p, ".3f"),
            valued(row.detectable, ".3f"),
        ]
    elif group.board:
        cells += ["baseline", None, None, None]
    return [
        *cells,
        valued(1 - coverage.tokens, ".1%") if coverage else None,
        valued(1 - coverage.labels, ".1%") if coverage else None,
        valued(spent.get(COSTS["training seconds"]), ",.1f"),
        valued(spent.get(COSTS["inference ms per document"]), ",.1f"),
        valued(spent.get(COSTS["peak memory"]), ",.0f"),
    ]


def number(value: float | None) -> Valued | None:
    """Return a figure as a cell: three decimals below 100."""
    return valued(value, ".3f" if value is None or abs(value) < 100 else ",.0f")


def interval(found: Interval) -> Valued | None:
    """Return an interval as a cell, sorted by its lower bound; None without one."""
    text = _between(found)
    return Valued(text.strip(), found.low) if text and found.low is not None else None


def _between(found: Interval) -> str:
    return between(Value(0.0, found.low, found.high)).replace("-", "−")


def cost(group: Group) -> Table:
    """Return what each candidate cost, as means over seeds."""
    rows = []
    for one in group.candidates:
        spent, results = costs(one), one.results.results
        rows.append(
            [
                one.title,
                valued(spent.get(COSTS["training seconds"]), ",.1f"),
                valued(_mean([result.cost.train_steps for result in results]), ",.0f"),
                valued(_mean([result.cost.train_tokens for result in results]), ",.0f"),
                valued(_mean([result.cost.tokens_per_second for result in results]), ",.0f"),
                valued(spent.get(COSTS["inference ms per document"]), ",.1f"),
                valued(spent.get(COSTS["peak memory"]), ",.0f"),
                valued(spent.get(COSTS["FLOPs"]), ".3g"),
                valued(_mean([result.cost.parameters for result in results]), ",.0f"),
                *([_standing(one)] if group.board else []),
            ]
        )
    columns = ["candidate", "training s", "steps", "tokens", "tokens/s", "ms/document", "peak MiB", "FLOPs"]
    columns += ["parameters", *(["quality and cost"] if group.board else [])]
    return Table("cost", "Cost", columns, rows, note="means over seeds")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _standing(one: Candidate) -> str | None:
    place = one.entry.place if one.entry else None
    if place is None:
        return None
    return f"{place.standing} (by {place.dominated_by})" if place.standing == "dominated" else str(place.standing)


def by_bins(group: Group) -> list[Table]:
    """Return each breakdown with a row for each candidate."""
    found = []
    for name, where in breakdowns(group).items():
        own = [{bin.name: bin for bin in context_use.bins(one.results, name)} for one in group.candidates]
        bins = bin_names(own)
        rows = [
            [one.title, *(number(of[bin].figure) if bin in of else None for bin in bins)]
            for one, of in zip(group.candidates, own, strict=True)
        ]
        chance = next((v for one in group.candidates for r in one.results.results
                       if (v := r.chances.get(group.split, {}).get(name)) is not None), None)  # fmt: skip
        note = "means over seeds" if chance is None else f"means over seeds; chance {chance:.2f}"
        if bins:
            found.append(Table(name, where, ["candidate", *bins], rows, note=note))
    return found


def differences(group: Group) -> Table | None:
    """Return the settings that differ between candidates; None if there are none."""
    several = [one.settings for one in group.candidates]
    keys = differing(several)
    rows = [[one.title, *(one.settings.get(key) for key in keys)] for one in group.candidates]
    return Table("differences", "What differs", ["candidate", *keys], rows) if keys else None


def shared(group: Group) -> Table:
    """Return the settings that all candidates have in common."""
    several = [one.settings for one in group.candidates]
    different = set(differing(several))
    rows = [[key, value] for key, value in several[0].items() if key not in different]
    return Table("shared", "What all have in common", ["setting", "value"], rows)


def verifications(runs: Sequence[RunDirectory], names: Mapping[Any, str]) -> Table | None:
    """Return the results of ``ctxlab verify``; None if there are none."""
    rows = []
    for run in runs:
        one = run.outcome
        if isinstance(one, Verification):
            passed = f"{len(one.checks) - len(one.failed)} of {len(one.checks)}"
            verdict = "passed" if one.passed else f"FAILED: {', '.join(one.failed)}"
            rows.append([one.strategy, one.context_length, one.model, one.task, verdict, passed, names[run.folder]])
    columns = ["strategy", "context", "model", "task", "verdict", "checks passed", "run"]
    return Table("verify", "Is each strategy active?", columns, rows, note="ctxlab verify") if rows else None


def environment(runs: Sequence[RunDirectory]) -> Table:
    """Return versions of libraries, commits and threads; several values where runs differ."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        one = run.outcome
        threads = None if one.cost.threads is None else str(one.cost.threads)
        for name, value in {**one.versions, "commit": one.git_sha, "threads": threads}.items():
            if value is not None:
                found.setdefault(name, {})[str(value)] = None
    rows = [[name, ", ".join(values)] for name, values in found.items()]
    return Table("environment", "Environment", ["what", "version"], rows)
