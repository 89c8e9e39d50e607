"""The page of ``ctxlab monitor``: alarms, counts by group and day, figures beside those of the reference."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ctxlab.core.files import write_text
from ctxlab.core.types import Table
from ctxlab.reporting.charts.lines import MOST_LINES, Curve, curves
from ctxlab.reporting.charts.svg import Look
from ctxlab.reporting.page.figures import Figure
from ctxlab.reporting.page.html import plain_page

RECENT_DAYS = 90
"""Days that the plot shows."""


@dataclass(frozen=True, eq=False)
class Watched:
    """What a monitor has seen so far."""

    task: str
    by: str | None
    num_documents: int
    read: int
    """Documents that the last command has read."""
    days: Mapping[str, Mapping[str, Mapping[str, int]]]
    """Day → group → label → documents."""
    figures: Table
    alarms: Sequence[Mapping[str, Any]]
    promises: Sequence[str]
    """How often each rule rings without a reason."""
    command: Sequence[str]


def write_page(path: Path, watched: Watched) -> None:
    """Write the page, which loads nothing."""
    rang = watched.alarms
    sentences = [one["sentence"] for one in rang[-3:][::-1]] or ["No alarm has rung."]
    days = f", {len(watched.days)} days with documents" if watched.days else ""
    lead = f"task={watched.task} · {watched.num_documents:,} documents{days} · {len(rang):,} alarms"
    text = plain_page(
        title="monitor",
        lead=lead,
        command=shlex.join(watched.command),
        conclusions=sentences,
        notes=list(watched.promises),
        figures=[figure for figure in [_counts(watched)] if figure.drawn],
        tables=[_alarms(rang), watched.figures, *([_groups(watched)] if watched.days else [])],
    )
    write_text(path, text)


def _alarms(rang: Sequence[Mapping[str, Any]]) -> Table:
    columns = ("alarm", "rule", "subject", "day", "document", "value", "limit", "same event as", "what")
    rows = [
        (
            one["alarm"],
            one["rule"],
            one["subject"],
            one["day"],
            one["document"],
            one["value"],
            one["limit"],
            _earlier(one, rang),
            one["sentence"],
        )
        for one in reversed(rang)
    ]
    return Table("alarms", "Alarms, the last first", columns, rows)


def _earlier(alarm: Mapping[str, Any], rang: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the earlier alarm of the same event, in words; None where there is none."""
    number = alarm.get("same_as")
    return None if number is None else f"alarm {number}: {rang[number - 1]['subject']}, {rang[number - 1]['day']}"


def _largest(watched: Watched) -> list[str]:
    totals: Counter[str] = Counter()
    for groups in watched.days.values():
        totals.update({group: sum(labels.values()) for group, labels in groups.items()})
    return [group for group, _ in totals.most_common(MOST_LINES)]


def _counts(watched: Watched) -> Figure:
    """Draw the documents of the largest groups on the last days; a day without any counts as 0."""
    names = _largest(watched)
    if not names:
        return Figure("", curves([], "", ""))
    last = date.fromisoformat(max(watched.days))
    first = max(date.fromisoformat(min(watched.days)), last - timedelta(days=RECENT_DAYS - 1))
    shown = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    several = [
        Curve(
            name,
            Look(index, index),
            [
                (float(place), float(sum(watched.days.get(day.isoformat(), {}).get(name, {}).values())))
                for place, day in enumerate(shown)
            ],
        )
        for index, name in enumerate(names)
    ]
    caption = f"Documents a day of {', '.join(names)}; day 0 is {first}."
    return Figure(caption, curves(several, f"days since {first}", "documents"))


def _groups(watched: Watched) -> Table:
    """Return documents and shares of labels of each group, over all days."""
    totals: dict[str, Counter[str]] = {}
    for groups in watched.days.values():
        for group, labels in groups.items():
            totals.setdefault(group, Counter()).update(labels)
    names = sorted({label for labels in totals.values() for label in labels})
    rows = [
        (group, labels.total(), *(labels[name] / labels.total() for name in names))
        for group, labels in sorted(totals.items(), key=lambda pair: -pair[1].total())
    ]
    return Table("groups", f"Documents by {watched.by or 'group'}", ("group", "documents", *names), rows)
