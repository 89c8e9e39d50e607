"""One command of ``ctxlab monitor``: the stream from where it was left, answered, counted and compared."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from ctxlab.config.build import build
from ctxlab.config.keys.trusting import MonitorOptions
from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import Alarm, Detector, Reference, Seen
from ctxlab.data.splits import Splits
from ctxlab.monitoring.linking.retrieval import Linker, said
from ctxlab.tracking.console import ProgressDisplay
from ctxlab.workbench.bench import Workbench
from ctxlab.workbench.monitoring.ledger import Cursor, Ledger
from ctxlab.workbench.monitoring.observing import observed
from ctxlab.workbench.monitoring.reference import reference_of
from ctxlab.workbench.monitoring.stream import Line, check_address, check_stream, lines
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import Parts

DOCUMENTS_AT_ONCE = 32
"""Documents between two writings of the cursor; so many are read again after a kill."""

LINKS = "links"
"""State of the linker among those of the rules."""

NO_LABEL = "–"
"""Stands for the label of tasks without one."""


@dataclass(frozen=True, eq=False)
class Session:
    """What a command has done."""

    parts: Parts
    ledger: Ledger
    rules: Sequence[Detector]
    reference: Reference | None
    read: int
    """Documents that this command has read."""
    rang: Sequence[dict[str, Any]]
    """Alarms that no exit status has told of yet."""


def monitor(parts: Parts) -> Session:
    """Read what is new in the stream.

    Raises:
        UserError: Stream, reference or cursor do not fit; what was read before is kept.
    """
    options: MonitorOptions = parts.options
    stream = Path(options.input).expanduser()
    check_stream(stream)
    if options.webhook:
        check_address(options.webhook)
    folder = Path(options.output).expanduser() if options.output else stream.with_name(f"{stream.stem}.monitor")
    drift, surge = build(options.drift, Detector), build(options.surge, Detector)
    rules = [rule for rule in (drift, surge) if rule.active and (options.by or not rule.needs_groups)]
    if not rules and not options.by:
        raise UserError("drift=none without by= watches nothing: use drift=cusum, or count groups with by=<field>.")
    opened = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[]))
    bench = opened.bench
    asked = {
        "task": bench.task.name,
        "checkpoint": str(opened.checkpoint or opened.origin),
        "by": options.by,
        "drift": option(drift),
        "surge": option(surge),
    }
    ledger = Ledger(folder, stream, asked)
    reference = reference_of(parts, bench, options.reference, folder) if drift.active else None
    read = _watch(bench, ledger, stream, options, rules=rules, reference=reference)
    return Session(parts, ledger, rules, reference=reference, read=read, rang=ledger.alarms(ledger.cursor.told))


def _watch(
    bench: Workbench,
    ledger: Ledger,
    stream: Path,
    options: MonitorOptions,
    *,
    rules: Sequence[Detector],
    reference: Reference | None,
) -> int:
    """Read the new documents in groups, and commit each group."""
    linker = Linker(options.link_days if options.by else 0)
    cursor, size, before = ledger.cursor, max(stream.stat().st_size, 1), ledger.cursor.num_documents
    source = lines(stream, cursor.place, cursor.num_lines, by=options.by, date_field=options.date_field)
    with ProgressDisplay("monitor") as display:
        for group in _batched(source):
            alarms: list[Alarm] = []
            for seen in _answered(bench, group, cursor, options.by):
                cursor.num_documents += 1
                _count(cursor, seen)
                linker.remember(cursor.states.setdefault(LINKS, {}), seen)
                for rule in rules:
                    for alarm in rule.step(cursor.states.setdefault(option(rule), {}), seen, reference):
                        alarms.append(
                            _linked(alarm, seen, ledger, new=alarms, linker=linker) if rule.needs_groups else alarm
                        )
            cursor.num_lines = int(group[-1].record.origin.rsplit(" ", 1)[1])
            ledger.commit(group[-1].end, alarms)
            display.update(min(cursor.place / size, 1.0), f"{cursor.num_documents:,} documents")
    return cursor.num_documents - before


def _linked(alarm: Alarm, seen: Seen, ledger: Ledger, new: Sequence[Alarm], linker: Linker) -> Alarm:
    """Return an alarm with the earlier one of the same event, if there is any.

    Args:
        alarm: Of a group on a day.
        seen: The document that made it ring.
        ledger: Has the alarms that are written.
        new: Those before it that are not.
        linker: Links events.
    """
    written = ledger.cursor.num_alarms
    link = linker.link(ledger.cursor.states[LINKS], seen, written + len(new) + 1)
    if link is None:
        return alarm
    earlier = new[link.alarm - written - 1].plain() if link.alarm > written else ledger.alarms(link.alarm - 1)[0]
    more = said(link, earlier["subject"], earlier["day"])
    return replace(alarm, sentence=f"{alarm.sentence.rstrip('.')}; {more}.", same_as=link.alarm)


def _batched(source: Iterator[Line]) -> Iterator[tuple[Line, ...]]:
    while group := tuple(itertools.islice(source, DOCUMENTS_AT_ONCE)):
        yield group


def _answered(bench: Workbench, group: Sequence[Line], cursor: Cursor, by: str | None) -> Iterator[Seen]:
    """Yield the documents of a group, answered; a record may consist of several, each of which counts."""
    last = date.fromisoformat(cursor.last_day) if cursor.last_day else None
    if last and group[0].day and group[0].day < last:
        raise UserError(
            f"{group[0].record.origin} is of {group[0].day}, before the last day that was read ({last}): sort the file."
        )
    if group[-1].day:
        cursor.last_day = group[-1].day.isoformat()
    by_origin = {line.record.origin: line for line in group}
    number = cursor.num_documents
    for document, seen in observed(bench, [line.record for line in group]):
        number += 1
        line = by_origin[document.origin]
        grouped = seen.label if by == "label" else line.group
        yield replace(seen, number=number, day=line.day, group=grouped if grouped is not None else NO_LABEL)


def _count(cursor: Cursor, seen: Seen) -> None:
    if seen.day is not None:
        groups = cursor.days.setdefault(seen.day.isoformat(), {})
        labels = groups.setdefault(str(seen.group), {})
        label = seen.label or NO_LABEL
        labels[label] = labels.get(label, 0) + 1
    for name, value in seen.figures.items():
        sums = cursor.figures.setdefault(name, {"sum": 0.0, "documents": 0})
        sums["sum"] += value
        sums["documents"] += 1
