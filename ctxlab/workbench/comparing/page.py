"""The result of a comparison: ``comparison.json``, ``comparison.md``, ``index.html``, and a table on the screen."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console

from ctxlab.comparison import context_use
from ctxlab.comparison.candidate_results import CandidateResults
from ctxlab.comparison.leaderboard import Entry, Leaderboard
from ctxlab.comparison.profile import Profile
from ctxlab.comparison.verdict import Verdict
from ctxlab.core.files import write_json, write_text
from ctxlab.core.types import Table
from ctxlab.evaluation.statistics import Interval
from ctxlab.reporting.groups import Group
from ctxlab.reporting.page import tables
from ctxlab.reporting.page.contents import Report, section
from ctxlab.reporting.page.files import HTML
from ctxlab.reporting.page.html import html
from ctxlab.reporting.run_directories import names
from ctxlab.reporting.tables import markdown
from ctxlab.reporting.tables import show as show_table

VERSION = 1
"""Version of ``comparison.json``."""

COLUMNS = 80
"""Width of the screen output."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The complete result of a comparison."""

    task: str
    model: str
    command: Sequence[str]
    budget: str
    seeds: Sequence[int]
    margin: float
    profile: Profile
    board: Leaderboard | None
    """None if no candidate has completed all of its cells."""
    group: Group | None
    """The candidates of ``board`` with their runs, for tables and plots."""
    refused: Mapping[str, str]
    """Title of a candidate → why it is not applicable."""
    same: Mapping[str, str]
    """Title of a candidate → title of an earlier one with the same computation."""
    failed: Mapping[str, str]
    notes: Sequence[str]

    @property
    def closing(self) -> str:
        """The concluding sentence."""
        return (
            self.board.closing
            if self.board
            else "There is nothing to conclude: no candidate has completed all of its cells."
        )


def write(folder: Path, answer: Answer) -> list[Path]:
    """Write all files, each atomically, and return them."""
    write_json(folder / "comparison.json", finite(as_dict(answer)))
    write_text(folder / "comparison.md", page(answer))
    write_text(folder / HTML, html(index(answer)))
    return [folder / name for name in (HTML, "comparison.md", "comparison.json")]


def show(screen: Console, answer: Answer, folder: Path) -> None:
    """Print the table within 80 columns, what did not run, and the concluding sentence last."""
    narrow = Console(file=screen.file, width=min(screen.width, COLUMNS), highlight=False)
    if answer.board:
        show_table(narrow, summary(answer.board))
    for sentence in sentences(answer):
        narrow.print(sentence)
    narrow.print(f"page: {os.path.relpath(folder / HTML)}", soft_wrap=True)
    narrow.print(answer.closing)


def summary(board: Leaderboard) -> Table:
    """Return the table for the screen."""
    rows = [
        (
            entry.candidate.title,
            f"{entry.estimate:.3f}",
            _difference(entry),
            _verdict(entry),
            f"{entry.candidate.results[0].coverage[board.split].tokens:.0%}",
            f"{entry.candidate.milliseconds_per_document().mean():,.0f}",
        )
        for entry in board.entries
    ]
    columns = ("candidate", board.figure, "difference, 95 %", "verdict", "read", "ms/doc")
    return Table("summary", f"{_title(board)}, against {board.baseline}", columns, rows)


def _title(board: Leaderboard) -> str:
    documents = "1 document" if board.num_documents == 1 else f"{board.num_documents:,} documents"
    return f"{board.figure} on {documents} of the {board.split} split"


def _difference(entry: Entry) -> str:
    if entry.row is None:
        return "baseline"
    return f"{entry.row.difference.estimate:+.3f} {_between(entry.row.difference.interval)}".replace("-", "−").strip()


def _between(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"[{interval.low:.3f}, {interval.high:.3f}]".replace("-", "−")


def _verdict(entry: Entry) -> str:
    return "–" if entry.row is None else str(entry.row.verdict)


def page(answer: Answer) -> str:
    """Return the page as Markdown."""
    blocks = [
        f"# Comparison: {answer.task}, {answer.model}",
        f"{answer.budget}. Seeds {', '.join(map(str, answer.seeds))}. Differences up to {answer.margin:g} are a tie.",
        "## Documents",
        answer.profile.sentence,
        markdown(answer.profile.table).rstrip(),
    ]
    if answer.group:
        blocks += _judged(answer.group)
    rest = [f"- {sentence}" for sentence in sentences(answer)]
    if rest:
        blocks += ["## Notes", "\n".join(rest)]
    blocks += ["## Command", f"```\n{shlex.join(answer.command)}\n```", "## Conclusion", answer.closing]
    return "\n\n".join(blocks) + "\n"


def _judged(group: Group) -> list[str]:
    lost = [markdown(table).rstrip() for table in tables.by_bins(group)]
    return [
        "## Quality",
        markdown(tables.leaderboard(group)).rstrip(),
        "## Cost",
        markdown(tables.cost(group)).rstrip(),
        *(["## Where quality is lost", *lost] if lost else []),
    ]


def _candidates_of(board: Leaderboard) -> list[CandidateResults]:
    return [entry.candidate for entry in board.entries]


def index(answer: Answer) -> Report:
    """Return the page as ``index.html`` shows it: that of ``ctxlab report``, with verdicts and the conclusion."""
    group = answer.group
    short = names(run.folder for one in group.candidates for run in one.runs) if group else {}
    runs = [run for one in group.candidates for run in one.runs] if group else []
    said, seeds = sentences(answer), ", ".join(map(str, answer.seeds))
    budget = f"{answer.budget}. Seeds {seeds}. Differences up to {answer.margin:g} are a tie."
    return Report(
        title=f"Comparison: {answer.task}, {answer.model}",
        lead=f"{budget} {answer.profile.sentence}",
        command=shlex.join(answer.command),
        conclusions={} if group else {answer.closing: ""},
        sections=[section(group, short, [answer.closing], said)] if group else [],
        tables=[answer.profile.table, tables.environment(runs), *([] if group else [_not_run(said)])],
    )


def _not_run(said: Sequence[str]) -> Table:
    return Table("notes", "Notes", ["note"], [[sentence] for sentence in said])


def sentences(answer: Answer) -> list[str]:
    """Return sentences on what did not run and why, on what is undecided, and notes."""
    found = [f"{title}: not applicable: {why}" for title, why in answer.refused.items()]
    found += [f"{title} is the same computation as {other}." for title, other in answer.same.items()]
    found += [f"{title} failed: {why}" for title, why in answer.failed.items()]
    return [*found, *(_of_verdicts(answer.board) if answer.board else ()), *answer.notes]


def _of_verdicts(board: Leaderboard) -> list[str]:
    """Return sentences on context use, detectable differences, and the scope of the verdicts."""
    found = context_use.sentences(_candidates_of(board))
    rows = board.comparison.rows if board.comparison else ()
    found += dict.fromkeys(row.unreachable for row in rows if row.unreachable)
    sizes = [row.detectable for row in rows if row.verdict is Verdict.UNDECIDED and row.detectable is not None]
    if sizes:
        low, high = (f"{size:.3f}" for size in (min(sizes), max(sizes)))
        found.append(
            f"Where it is undecided, a difference of {low if low == high else f'{low} to {high}'} would have been "
            "detected with a probability of 80 %."
        )
    return [*found, *([board.comparison.scope] if board.comparison else [])]


def finite(tree: Any) -> Any:
    """Return plain data in which numbers that JSON does not have, such as NaN, are null."""
    if isinstance(tree, Mapping):
        return {name: finite(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [finite(value) for value in tree]
    return None if isinstance(tree, float) and not isfinite(tree) else tree


def as_dict(answer: Answer) -> dict[str, Any]:
    """Return the content of ``comparison.json``."""
    board = answer.board
    return {
        "version": VERSION,
        "stage": "compare",
        "task": answer.task,
        "model": answer.model,
        "command": list(answer.command),
        "budget": answer.budget,
        "seeds": list(answer.seeds),
        "margin": answer.margin,
        "profile": asdict(answer.profile),
        "primary_metric": board.figure if board else None,
        "lower_is_better": board.lower_is_better if board else None,
        "split": board.split if board else None,
        "num_documents": board.num_documents if board else None,
        "baseline": board.baseline if board else None,
        "candidates": _candidates(answer),
        "notes": list(answer.notes),
        "conclusion": answer.closing,
    }


def _candidates(answer: Answer) -> list[dict[str, Any]]:
    compared = [_candidate(entry, answer.board) for entry in answer.board.entries] if answer.board else []
    other = [
        *({"candidate": title, "status": "not applicable", "reason": why} for title, why in answer.refused.items()),
        *({"candidate": title, "status": "same", "as": other} for title, other in answer.same.items()),
        *({"candidate": title, "status": "failed", "reason": why} for title, why in answer.failed.items()),
    ]
    return [*compared, *other]


def _candidate(entry: Entry, board: Leaderboard) -> dict[str, Any]:
    candidate, row = entry.candidate, entry.row
    return {
        "candidate": candidate.title,
        "key": candidate.key,
        "status": "compared",
        "strategy": candidate.results[0].strategy,
        "context_length": candidate.results[0].context_length,
        "runs": [folder.name for folder in candidate.folders],
        board.figure: entry.estimate,
        "by_seed": list(entry.by_seed),
        "low": entry.interval.low,
        "high": entry.interval.high,
        "coverage": asdict(candidate.results[0].coverage[board.split]),
        "cost": {name: values.tolist() for name, values in candidate.costs().items()},
        "standing": asdict(entry.place) if entry.place else None,
        "difference": None
        if row is None
        else {
            "estimate": row.difference.estimate,
            "low": row.difference.interval.low,
            "high": row.difference.interval.high,
            "p_value": row.p_value,
            "adjusted_p": row.adjusted_p,
            "verdict": row.verdict,
            "detectable": row.detectable,
        },
    }
