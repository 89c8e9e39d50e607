"""What ``ctxlab explain`` leaves: ``explanations.jsonl``, a page, a picture, the report, and ``explain.json``."""

import json
import os
import shlex
from collections.abc import Sequence
from typing import Any

from ctxlab.core.errors import CheckFailed
from ctxlab.core.files import write_json, write_text
from ctxlab.core.types import Table
from ctxlab.reporting.explanations import picture
from ctxlab.reporting.explanations.html import Page, drawn, html
from ctxlab.reporting.tables import markdown, show
from ctxlab.tracking.console import console, say
from ctxlab.workbench.explaining.cases import Check
from ctxlab.workbench.explaining.lines import line
from ctxlab.workbench.explaining.session import Session

VERSION = 1
"""Version of ``explain.json``."""

LINES, PAGE, PICTURE, DATA, REPORT = (
    "explanations.jsonl", "index.html", "explanation.png", "explain.json", "report.md"
)  # fmt: skip

OUTCOMES = {True: "holds", False: "fails", None: "does not apply"}


def publish(session: Session) -> None:
    """Write all files and print what was checked.

    Raises:
        CheckFailed: Something is attributed to what the strategy declares to be out of reach.
    """
    folder, lines = session.parts.origin.run_dir, [line(one) for one in session.explained]
    write_text(folder / LINES, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines))
    first = next(one for one in lines if one["targets"])
    picture.draw(folder / PICTURE, first, first["targets"][0])
    write_text(folder / PAGE, html(_page(session, lines)))
    write_json(folder / DATA, _data(session))
    write_text(folder / REPORT, _report(session))
    screen = console()
    for table in session.findings.tables:
        show(screen, table)
    for check in session.findings.checks:
        say(screen, f"{check.name}: {OUTCOMES[check.passed]}. {check.detail}")
    for note in session.notes:
        say(screen, f"note: {note}")
    say(screen, f"{len(lines):,} documents → {os.path.relpath(folder / LINES)}; page: {os.path.relpath(folder / PAGE)}")
    if session.findings.broken:
        raise CheckFailed(session.findings.broken[0].detail)


def _title(session: Session) -> str:
    parts = session.parts
    return (
        f"explain: {session.explained[0].explanation}, {parts.task.name} with {parts.strategy.name} at {parts.length:,}"
    )


def _lead(session: Session) -> str:
    targets = sum(len(one.targets) for one in session.explained)
    return f"{targets:,} parts of the answers for {len(session.explained):,} documents, by {session.model}."


def _page(session: Session, lines: list[dict[str, Any]]) -> Page:
    most = session.parts.options.drawn
    left = len(lines) - most
    more = [f"{left:,} further documents are only in {LINES}: raise drawn= for them."] if left > 0 else []
    return Page(
        _title(session),
        _lead(session),
        command=shlex.join(session.parts.origin.command),
        checks=[(check.name, OUTCOMES[check.passed], check.detail) for check in session.findings.checks],
        tables=session.findings.tables,
        notes=[*session.notes, *more],
        documents=[drawn(one) for one in lines[:most]],
    )


def _data(session: Session) -> dict[str, Any]:
    """Return what was found as plain data."""
    parts, findings = session.parts, session.findings
    return {
        "version": VERSION,
        "stage": parts.origin.stage,
        "command": list(parts.origin.command),
        "explanation": session.explained[0].explanation,
        "task": parts.task.name,
        "strategy": parts.strategy.name,
        "context_length": parts.length,
        "model": session.model,
        "documents": len(session.explained),
        "targets": sum(len(one.targets) for one in session.explained),
        "checks": {check.name: {"passed": check.passed, "detail": check.detail} for check in findings.checks},
        **findings.figures,
        "tables": {
            table.name: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in findings.tables
        },
        "notes": list(session.notes),
    }


def _report(session: Session) -> str:
    """Return the report as Markdown."""
    blocks = [f"# {_title(session)}", _lead(session), markdown(_checks(session.findings.checks)).rstrip()]
    blocks += [markdown(table).rstrip() for table in session.findings.tables]
    blocks += ["\n".join(["## Notes", "", *(f"- {note}" for note in session.notes)])] if session.notes else []
    blocks += [f"![The first explanation over its text]({PICTURE})", f"All documents: [{PAGE}]({PAGE})"]
    config = (session.parts.origin.run_dir / "config.yaml").read_text(encoding="utf-8").rstrip()
    return "\n\n".join([*blocks, "## Configuration", f"```yaml\n{config}\n```"]) + "\n"


def _checks(checks: Sequence[Check]) -> Table:
    rows = [(check.name, OUTCOMES[check.passed], check.detail) for check in checks]
    return Table("checks", "Checks of the explanations", ("check", "outcome", "detail"), rows)
