"""Making a report: reading runs, writing the page, printing a summary, and logging the files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctxlab.core.tracking import RunInfo, Tracker
from ctxlab.reporting.page.contents import Report, report
from ctxlab.reporting.page.files import write
from ctxlab.reporting.run_directories import find_runs
from ctxlab.tracking.console import console, say
from ctxlab.tracking.guarded import Guarded
from ctxlab.workbench.reporting.parts import ReportParts

ARTIFACT = "report"
"""Kind of the artifact under which a tracker keeps the files of a report."""


def make_report(parts: ReportParts) -> None:
    """Read the runs, write the page, say what was left out, and log the files.

    Raises:
        UserError: There are no runs to report.
    """
    found = find_runs(parts.runs)
    made = report(found, parts.command)
    written = write(parts.folder, made)
    _tell(made, found.skipped, written[0])
    log_report(parts.tracker, parts.folder, written, parts.config)


def _tell(made: Report, skipped: Mapping[str, str], page: Path) -> None:
    screen = console()
    for section in made.sections:
        best = section.group.candidates[0]
        score = "no score" if best.estimate is None else f"{section.group.figure} {best.estimate:.3f}"
        num = len(section.group.candidates)
        several = "1 candidate" if num == 1 else f"{num} candidates, the best"
        say(screen, f"{section.title}: {several} {best.title}: {score}")
    for folder, reason in skipped.items():
        say(screen, f"skipped {folder}: {reason}")
    screen.print(f"page: {os.path.relpath(page)}", soft_wrap=True)


def log_report(tracker: Tracker, folder: Path, written: Sequence[Path], config: Mapping[str, Any]) -> None:
    """Log the files of a report as an artifact of a run of its own; a tracker that fails is only named.

    Args:
        tracker: Where figures go.
        folder: Folder of the report.
        written: Its files.
        config: Configuration, free of secrets.
    """
    guarded = Guarded(tracker)
    guarded.start(RunInfo(run_dir=folder, name=f"report {folder.name}", group="", config=config))
    guarded.keep(written, ARTIFACT)
    guarded.finish({}, None)
