"""What ``ctxlab audit`` leaves: a page, the same as Markdown, and JSON for scripts."""

import os

from ctxlab.core.errors import FoundSomething
from ctxlab.core.files import write_json, write_text
from ctxlab.reporting.audit import as_dict, html, markdown, verdicts
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import console, say
from ctxlab.workbench.auditing.session import Session

HTML, MARKDOWN, JSON = "index.html", "report.md", "audit.json"


def publish(session: Session) -> None:
    """Write page, Markdown and, last, JSON; print the verdicts.

    Raises:
        FoundSomething: A check found something, unless ``audit.fail`` is false.
    """
    run_dir, audit = session.parts.origin.run_dir, session.audit
    write_text(run_dir / HTML, html(audit))
    write_text(run_dir / MARKDOWN, markdown(audit))
    write_json(run_dir / JSON, as_dict(audit))
    screen = console()
    show(screen, verdicts(audit, short=True))
    for note in audit.notes:
        say(screen, f"note: {note}")
    say(screen, f"page: {os.path.relpath(run_dir / HTML)}; for scripts: {os.path.relpath(run_dir / JSON)}")
    if audit.found and session.fails:
        raise FoundSomething
