"""The content of a report, before it is written as HTML, Markdown or CSV."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxlab.core.types import Table
from ctxlab.reporting.charts.series import Series
from ctxlab.reporting.groups import Group, grouped
from ctxlab.reporting.page import tables
from ctxlab.reporting.page.figures import Figure, figures, series
from ctxlab.reporting.run_directories import Found, RunDirectory, names


@dataclass(frozen=True, slots=True)
class Command:
    """The command of a run."""

    run: str
    words: str


@dataclass(frozen=True, slots=True)
class Section:
    """The runs of one task on the same documents."""

    title: str
    documents: str
    """What distinguishes its documents from those of other sections of the task; empty if there is one."""
    facts: str
    """What was scored, in a line."""
    conclusions: Sequence[str]
    sentences: Sequence[str]
    """What did not run, what is undecided, and notes."""
    legend: Sequence[Series]
    leaderboard: Table
    figures: Sequence[Figure]
    tables: Sequence[Table]
    """Cost, breakdowns and differences."""
    shared: Table
    commands: Sequence[Command]
    group: Group


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report."""

    title: str
    lead: str
    command: str
    """Command that made it, or the comparison; empty from Python."""
    conclusions: Mapping[str, str]
    """Concluding sentence of a comparison → its directory; empty if it is the comparison's own page."""
    sections: Sequence[Section]
    tables: Sequence[Table]
    """Verification, environment and what was skipped."""


def report(found: Found, command: Sequence[str]) -> Report:
    """Return the report of any run directories: a section for each task and set of documents.

    Args:
        found: The runs.
        command: Words of the command that asked for the report.
    """
    short = names(run.folder for run in found.runs)
    sections = [section(group, short) for group in grouped(found.runs)]
    runs = "1 run" if len(found.runs) == 1 else f"{len(found.runs):,} runs"
    tasks = sorted({run.outcome.task for run in found.runs})
    skipped = {path: _tidy(why) for path, why in found.skipped.items()}
    return Report(
        title=f"Report: {', '.join(tasks)}",
        lead=f"{runs} of {'1 task' if len(tasks) == 1 else f'{len(tasks)} tasks'}"
        + (f"; {len(skipped)} skipped." if skipped else "."),
        command=shlex.join(command),
        conclusions={sentence: folder for folder, sentence in found.conclusions.items()},
        sections=sections,
        tables=_last_tables(found.runs, short, skipped),
    )


def _last_tables(runs: Sequence[RunDirectory], short: Mapping[Path, str], skipped: Mapping[str, str]) -> list[Table]:
    verified = tables.verifications(runs, short)
    left_out = Table("skipped", "Skipped", ["directory", "why"], [list(pair) for pair in skipped.items()])
    every = [verified, tables.environment(runs), left_out if skipped else None]
    return [table for table in every if table and table.rows]


def section(
    group: Group, short: Mapping[Path, str], conclusions: Sequence[str] = (), sentences: Sequence[str] = ()
) -> Section:
    """Return the section of one group.

    Args:
        group: Candidates of one task.
        short: Directory of each run → its short name.
        conclusions: Concluding sentence of a comparison.
        sentences: What else there is to say, before the notes of the group.
    """
    shown = series(group)
    different = tables.differences(group)
    runs = [run for one in group.candidates for run in one.runs]
    return Section(
        title=group.task,
        documents=group.documents,
        facts=_facts(group),
        conclusions=conclusions,
        sentences=[*sentences, *map(_tidy, group.notes)],
        legend=shown,
        leaderboard=tables.leaderboard(group),
        figures=figures(group, shown),
        tables=[tables.cost(group), *tables.by_bins(group), *([different] if different else [])],
        shared=tables.shared(group),
        commands=[Command(short[run.folder], shlex.join(run.outcome.command)) for run in runs if run.outcome.command],
        group=group,
    )


def _facts(group: Group) -> str:
    """Return "Strict f1 on 8 documents of the test split, lower is better; minilm"."""
    documents = "documents" if group.num_documents is None else f"{group.num_documents:,} documents"
    if group.num_documents == 1:
        documents = "1 document"
    models = sorted({run.outcome.model for one in group.candidates for run in one.runs})
    direction = " Lower is better." if group.lower_is_better else ""
    return f"{group.figure} on {documents} of the {group.split} split; {', '.join(models)}.{direction}"


def _tidy(sentence: str) -> str:
    """Return a sentence without the paths of the working directory and of the home folder."""
    here, home = f"{Path.cwd()}{os.sep}", str(Path.home())
    return sentence.replace(here, "").replace(home + os.sep, f"~{os.sep}")
