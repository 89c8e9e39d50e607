"""The report as Markdown and CSV, and all of its files."""

import csv
import io
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from ctxlab.core.files import write_text
from ctxlab.core.result import Cost, Result
from ctxlab.reporting.page.contents import Report, Section
from ctxlab.reporting.page.html import html
from ctxlab.reporting.settings import differing
from ctxlab.reporting.tables import markdown as table_as_markdown

HTML, MARKDOWN, CSV = "index.html", "report.md", "report.csv"


def write(folder: Path, report: Report) -> list[Path]:
    """Write page, Markdown and CSV, each atomically, and return them."""
    written = {HTML: html(report), MARKDOWN: markdown(report), CSV: table(report)}
    for name, content in written.items():
        write_text(folder / name, content)
    return [folder / name for name in written]


def markdown(report: Report) -> str:
    """Return the tables and sentences of the report."""
    blocks = [f"# {report.title}", report.lead, *_conclusions(list(report.conclusions))]
    for section in report.sections:
        blocks += _section(section)
    blocks += [table_as_markdown(one).rstrip() for one in report.tables]
    if report.command:
        blocks += ["## Command", f"```\n{report.command}\n```"]
    return "\n\n".join(blocks) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield f"{section.facts} {section.documents}".rstrip()
    yield from _conclusions(section.conclusions)
    for one in (section.leaderboard, *section.tables):
        yield table_as_markdown(one).rstrip()
    if section.sentences:
        yield "\n".join(f"- {sentence}" for sentence in section.sentences)
    if section.commands:
        yield "### Commands\n\n```\n" + "\n".join(one.words for one in section.commands) + "\n```"


def _conclusions(sentences: Sequence[str]) -> list[str]:
    return [f"> {sentence}" for sentence in sentences]


def table(report: Report) -> str:
    """Return a row for each scored run: its figures, coverage, cost, and the settings that differ."""
    members = [(section.group, one, run) for section in report.sections for one in section.group.candidates
               for run in one.runs]  # fmt: skip
    keys = differing([run.settings for _, _, run in members])
    costs = list(Cost.__dataclass_fields__)
    columns = ["candidate", "documents", "run", "stage", "task", "model", "strategy", "context_length", "seed", "split",
               "metric", "score", "coverage_tokens", "coverage_labels", *costs, *keys]  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for group, one, run in members:
        result = run.outcome
        assert isinstance(result, Result)
        seen = result.coverage.get(group.split)
        cells = [one.title, group.documents, run.folder, result.stage, result.task, result.model, result.strategy,
                 result.context_length, result.seed, group.split, group.figure, result.primary(group.split),
                 seen and seen.tokens, seen and seen.labels]  # fmt: skip
        spent = [getattr(result.cost, name) for name in costs]
        writer.writerow(map(_plain, [*cells, *spent, *(run.settings.get(key) for key in keys)]))
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Return a cell: empty for what is unknown or not a number."""
    return "" if value is None or (isinstance(value, float) and not isfinite(value)) else value
