"""What ``ctxlab monitor`` leaves besides its cursor: a page, messages to the webhook, and the exit status."""

import json
import logging
import os
import urllib.request
from pathlib import Path
from typing import Any

from ctxlab.core.errors import Alarmed
from ctxlab.core.files import write_text
from ctxlab.core.types import Table
from ctxlab.reporting.monitoring import Watched, write_page
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import console, say
from ctxlab.workbench.monitoring.ledger import ALARMS, Ledger
from ctxlab.workbench.monitoring.session import Session

PAGE, COUNTS = "index.html", "counts.csv"

WAIT_SECONDS = 10.0
"""Longest wait for the webhook."""

log = logging.getLogger(__name__)


def publish(session: Session) -> None:
    """Write page and counts, deliver alarms, and raise where one rings.

    Raises:
        Alarmed: An alarm rings that no exit status has told of.
    """
    ledger, cursor = session.ledger, session.ledger.cursor
    alarms = ledger.alarms()
    watched = Watched(
        task=cursor.asked["task"],
        by=cursor.asked["by"],
        num_documents=cursor.num_documents,
        read=session.read,
        days=cursor.days,
        figures=_figures(session),
        alarms=alarms,
        promises=[rule.promise for rule in session.rules],
        command=session.parts.origin.command,
    )
    write_page(ledger.folder / PAGE, watched)
    write_text(ledger.folder / COUNTS, _csv(session))
    screen = console()
    show(screen, watched.figures)
    page = os.path.relpath(ledger.folder / PAGE)
    say(screen, f"{session.read:,} new documents of {cursor.num_documents:,}; page: {page}")
    if session.parts.options.webhook:
        _deliver(session.parts.options.webhook, ledger, alarms)
    cursor.told = cursor.num_alarms
    ledger.save()
    if session.rang:
        raise Alarmed(_sentence(session.rang, ledger.folder / ALARMS))


def _sentence(rang: Any, path: Path) -> str:
    more = f" (and {len(rang) - 1} more)" if len(rang) > 1 else ""
    return f"Alarm: {rang[0]['sentence'].rstrip('.')}{more}; see {os.path.relpath(path)}."


def _figures(session: Session) -> Table:
    """Return the mean of each figure beside that of the reference."""
    rows = []
    for name, sums in session.ledger.cursor.figures.items():
        usual = session.reference.figures.get(name) if session.reference else None
        rows.append((name, sum(usual) / len(usual) if usual else None, sums["sum"] / sums["documents"]))
    return Table("figures", "Means of the documents", ("figure", "reference", "stream"), rows)


def _csv(session: Session) -> str:
    lines = ["day,group,label,documents"]
    for day, groups in session.ledger.cursor.days.items():
        for group, labels in groups.items():
            lines += [f"{day},{_quoted(group)},{_quoted(label)},{count}" for label, count in labels.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n\r') else text


def _deliver(address: str, ledger: Ledger, alarms: list[dict[str, Any]]) -> None:
    """Post the alarms that the webhook has not taken; those that fail are tried again by the next command.

    The cursor is written after each. A receiver that gets one twice, after a kill in between, knows it by its header
    ``Idempotency-Key``.
    """
    for alarm in alarms[ledger.cursor.delivered :]:
        key = f"{ledger.folder.name}-{alarm['alarm']}"
        request = urllib.request.Request(  # noqa: S310 (checked by check_address)
            address,
            data=json.dumps(alarm, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
        )
        try:
            urllib.request.urlopen(request, timeout=WAIT_SECONDS).close()  # noqa: S310
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            log.warning(
                "The webhook has not taken alarm %d (%s); the next command tries again.", alarm["alarm"], reason
            )
            return
        ledger.cursor.delivered = alarm["alarm"]
        ledger.save()
