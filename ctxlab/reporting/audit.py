"""Outputs of ``ctxlab audit``: a page, the same as Markdown, and plain data for JSON."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from ctxlab.core.audit import LINES, Audit, Audited, Verdict
from ctxlab.core.result import rows
from ctxlab.core.types import BARS, Table
from ctxlab.reporting.charts import lines, quality
from ctxlab.reporting.charts.lines import Binned
from ctxlab.reporting.charts.series import Reference, Series, Value
from ctxlab.reporting.charts.svg import Look
from ctxlab.reporting.page.figures import Figure
from ctxlab.reporting.page.html import rendered
from ctxlab.reporting.tables import markdown as table_as_markdown

CAUTION = (
    "This is lexical perturbation and statistics over these documents, not fairness proven: a check that passes found "
    "no difference that these documents, these lists of words and this number of documents can show, and says nothing "
    "about groups, words and uses that are not in them."
)

VERSION = 1
"""Version of ``audit.json``."""


def html(audit: Audit) -> str:
    """Return the page, which loads nothing."""
    return rendered(
        "audit.html",
        title=_title(audit),
        lead=_lead(audit),
        command=shlex.join(audit.command),
        conclusion=conclusion(audit),
        caution=CAUTION,
        overview=verdicts(audit),
        notes=audit.notes,
        checks=[{**_plain(one), "finding": one.finding, "figures": list(_figures(one))} for one in audit.checks],
    )


def _plain(one: Audited) -> dict[str, Any]:
    return {"name": one.name, "question": one.question}


def _title(audit: Audit) -> str:
    return f"Audit: {audit.task}, {audit.model}, {audit.strategy}"


def _lead(audit: Audit) -> str:
    of = f" of {audit.run}" if audit.run else ""
    return f"{audit.num_documents:,} documents of the {audit.split} split{of}."


def conclusion(audit: Audit) -> str:
    """Return what the audit came to, in a sentence."""
    passed = [one.name for one in audit.checks if one.finding.verdict is Verdict.PASS]
    silent = [one.name for one in audit.checks if one.finding.verdict in (Verdict.TOO_LITTLE, Verdict.NOT_APPLICABLE)]
    parts = [f"Found: {', '.join(audit.found)}." if audit.found else "Nothing was found."]
    if passed:
        parts.append(f"Passed at {audit.rules.level:.0%}: {', '.join(passed)}.")
    if silent:
        parts.append(f"Not examined: {', '.join(silent)}.")
    return " ".join(parts)


def verdicts(audit: Audit, *, short: bool = False) -> Table:
    """Return a row for each check; ``short`` leaves the sentences out."""
    rows = [
        (one.name, str(one.finding.verdict), len(one.finding.compared), *(() if short else (one.finding.sentence,)))
        for one in audit.checks
    ]
    columns = ("check", "verdict", "comparisons", *(() if short else ("what was found",)))
    note = f"each check finds something at {audit.rules.level:.0%} where there is nothing, over all of its comparisons"
    return Table("verdicts", "Verdicts", columns, rows, note=note)


def _figures(one: Audited) -> Iterator[Figure]:
    """Yield the plots of a check's tables."""
    for table in one.finding.tables:
        draw = {BARS: _rows, LINES: _line}.get(table.drawn)
        drawn = draw(table) if draw else Markup("")
        if drawn:
            yield Figure(f"{table.title}, with 95 % intervals.", drawn)


def _values(table: Table) -> list[tuple[str, Value]]:
    at = list(table.columns).index("low")
    return [(str(row[0]), Value(row[at - 1], row[at], row[at + 1])) for row in table.rows]


def _rows(table: Table) -> Markup:
    shown = [Series(name, Look(0, 0), value) for name, value in _values(table)]
    levels = [Reference("none", 0.0)] if "difference" in table.figure else []
    return quality.draw(shown, levels, table.figure)


def _line(table: Table) -> Markup:
    values = dict(_values(table))
    binned = [Binned(table.figure, Look(0, 0), values)]
    return lines.bins(binned, list(values), across=table.columns[0], figure=table.figure, level=None)


def markdown(audit: Audit) -> str:
    """Return the page as Markdown."""
    blocks = [f"# {_title(audit)}", _lead(audit), f"> {conclusion(audit)}", CAUTION]
    blocks.append(table_as_markdown(verdicts(audit)).rstrip())
    for one in audit.checks:
        blocks += [f"## {one.name}: {one.finding.verdict}", one.question, f"> {one.finding.sentence}"]
        blocks += [table_as_markdown(table).rstrip() for table in one.finding.tables if table.rows]
        blocks += [_list(one.finding.notes)] if one.finding.notes else []
    blocks += [_list(audit.notes)] if audit.notes else []
    blocks += ["## Command", f"```\n{shlex.join(audit.command)}\n```"] if audit.command else []
    return "\n\n".join(blocks) + "\n"


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def as_dict(audit: Audit) -> dict[str, Any]:
    """Return the audit as plain data: verdict, comparisons and tables of each check."""
    return {
        "version": VERSION,
        "run": audit.run,
        "task": audit.task,
        "model": audit.model,
        "strategy": audit.strategy,
        "split": audit.split,
        "documents": audit.num_documents,
        "level": audit.rules.level,
        "least": audit.rules.least,
        "seed": audit.rules.seed,
        "found": audit.found,
        "caution": CAUTION,
        "checks": {one.name: _as_dict(one) for one in audit.checks},
        "notes": list(audit.notes),
        "command": list(audit.command),
    }


def _as_dict(one: Audited) -> dict[str, Any]:
    finding = one.finding
    return {
        "question": one.question,
        "verdict": str(finding.verdict),
        "sentence": finding.sentence,
        "compared": [asdict(each) for each in finding.compared],
        "tables": {table.name: rows(table) for table in finding.tables if table.name != "compared"},
        "notes": list(finding.notes),
        "seconds": round(one.seconds, 2),
    }
