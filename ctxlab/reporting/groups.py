"""Runs grouped for a report: those of one task and the same documents together, seeds of one configuration averaged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxlab.comparison import single_interval
from ctxlab.comparison.candidate_results import CandidateResults
from ctxlab.comparison.leaderboard import Entry, Leaderboard
from ctxlab.comparison.records import contenders
from ctxlab.core.errors import UserError
from ctxlab.core.result import FILE, Result
from ctxlab.evaluation.statistics import NO_INTERVAL, Interval
from ctxlab.reporting.run_directories import RunDirectory
from ctxlab.reporting.settings import data_of, differing, titles


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A configuration with its runs, one for each seed."""

    title: str
    runs: Sequence[RunDirectory]
    results: CandidateResults
    estimate: float | None
    """Mean of the primary metric over seeds; None if no run has it."""
    interval: Interval
    num_documents: int | None
    """Number of scored documents; None without files of scores."""
    entry: Entry | None = None
    """What a comparison says of it; None if the runs were not compared with a baseline."""

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of the configuration."""
        return self.runs[0].settings


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Candidates that can be compared: of one task, one metric, and the same documents."""

    task: str
    documents: str
    """What the documents have that those of another group of the task have not; empty if there is one group."""
    figure: str
    split: str
    lower_is_better: bool
    candidates: Sequence[Candidate]
    """The best first; candidates without a figure last."""
    notes: Sequence[str] = ()
    board: Leaderboard | None = None
    """Verdicts of a comparison; None if the runs were not compared with a baseline."""

    @property
    def num_documents(self) -> int | None:
        """Number of scored documents, if all candidates scored the same number."""
        found = {candidate.num_documents for candidate in self.candidates}
        return found.pop() if len(found) == 1 else None


def grouped(runs: Iterable[RunDirectory]) -> list[Group]:
    """Return the scored runs in groups, ordered by task."""
    found: dict[tuple[Any, ...], list[RunDirectory]] = {}
    for run in runs:
        if isinstance(run.outcome, Result):
            documents = tuple(sorted(data_of(run.settings).items()))
            key = (run.outcome.task, run.outcome.primary_metric, _split(run.outcome), documents)
            found.setdefault(key, []).append(run)
    names = _documents(list(found.values()))
    groups = [_group(members, name) for members, name in zip(found.values(), names, strict=True)]
    return sorted(groups, key=lambda group: (group.task, group.documents))


def compared(board: Leaderboard, task: str, read: Mapping[Path, RunDirectory]) -> Group:
    """Return the candidates of a comparison as a group.

    Args:
        board: Verdicts.
        task: Name of the task.
        read: Directory of each run → the run.
    """
    candidates = [
        Candidate(
            title=entry.candidate.title,
            runs=[read[folder] for folder in entry.candidate.folders],
            results=entry.candidate,
            estimate=entry.estimate,
            interval=entry.interval,
            num_documents=board.num_documents,
            entry=entry,
        )
        for entry in board.entries
    ]
    return Group(
        task=task,
        documents="",
        figure=board.figure,
        split=board.split,
        lower_is_better=board.lower_is_better,
        candidates=candidates,
        board=board,
    )


def _split(result: Result) -> str:
    return "test" if "test" in result.metrics else next(iter(result.metrics), "")


def _documents(several: Sequence[Sequence[RunDirectory]]) -> list[str]:
    """Return what the documents of each group have that those of others of the same task have not."""
    found = []
    for members in several:
        own, task = data_of(members[0].settings), members[0].outcome.task
        others = [data_of(other[0].settings) for other in several if other[0].outcome.task == task]
        found.append(" ".join(f"{key}={own.get(key, 'none')}" for key in differing(others)))
    return found


def _group(members: Sequence[RunDirectory], documents: str) -> Group:
    configurations: dict[tuple[Any, ...], list[RunDirectory]] = {}
    for run in members:
        key = (run.outcome.stage, run.outcome.model, tuple(sorted(run.settings.items())))
        configurations.setdefault(key, []).append(run)
    notes: list[str] = []
    several = [_latest(runs, notes) for runs in configurations.values()]
    stages = {runs[0].outcome.stage for runs in several}
    named = titles([runs[0].settings for runs in several])
    if len(stages) > 1:
        named = [f"{name}, {runs[0].outcome.stage}" for name, runs in zip(named, several, strict=True)]
    candidates = [_candidate(runs, name, notes) for runs, name in zip(several, named, strict=True)]
    first = members[0].outcome
    assert isinstance(first, Result)
    lower = bool(first.lower_is_better)
    return Group(
        task=first.task,
        documents=documents,
        figure=first.primary_metric,
        split=_split(first),
        lower_is_better=lower,
        candidates=sorted(candidates, key=lambda one: _rank(one.estimate, lower_is_better=lower)),
        notes=notes,
    )


def _rank(estimate: float | None, *, lower_is_better: bool) -> float:
    if estimate is None or estimate != estimate:
        return float("inf")
    return estimate if lower_is_better else -estimate


def _latest(runs: Sequence[RunDirectory], notes: list[str]) -> list[RunDirectory]:
    """Return the latest run of each seed, so that a repeated run does not count as another seed."""
    by_seed: dict[int, list[RunDirectory]] = {}
    for run in runs:
        by_seed.setdefault(run.outcome.seed, []).append(run)
    kept = []
    for seed in sorted(by_seed):
        *earlier, last = sorted(by_seed[seed], key=lambda run: (run.folder / FILE).stat().st_mtime_ns)
        kept.append(last)
        notes += [f"{run.folder} is left out: {last.folder} repeats it, with the same seed." for run in earlier]
    return kept


def _candidate(runs: Sequence[RunDirectory], title: str, notes: list[str]) -> Candidate:
    outcomes = [run.outcome for run in runs if isinstance(run.outcome, Result)]
    results = CandidateResults(title, title, outcomes, [run.folder for run in runs])
    values = [value for one in outcomes if (value := one.primary(results.split)) is not None]
    estimate = sum(values) / len(values) if values else None
    interval, num_documents = NO_INTERVAL, None
    try:
        found = contenders({title: results.scores()}, outcomes[0].primary_metric)[0].scored
        num_documents = found.num_documents
        interval = single_interval.interval(found, lower_is_better=bool(outcomes[0].lower_is_better))
    except (UserError, ValueError) as error:
        notes.append(f"{title} has no interval: {error}")
    return Candidate(title, runs, results, estimate=estimate, interval=interval, num_documents=num_documents)
