"""What ``ctxlab label`` leaves: the output file, a report with its tables, and the risk–coverage curve."""

import json
import os

from ctxlab.core.files import write_text
from ctxlab.reporting.labelling import draw_curve, write_page
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import console, say
from ctxlab.workbench.labelling.session import Session


def publish(session: Session) -> None:
    """Write report, curve and, last, the output file; print the tables."""
    run_dir, labelled = session.parts.origin.run_dir, session.labelled
    notes = [*labelled.notes, *session.notes]
    tables = [*labelled.tables, *([labelled.curve] if labelled.curve else [])]
    pictures = [draw_curve(run_dir / "risk_coverage.png", labelled.curve)] if labelled.curve else []
    write_page(
        run_dir / "report.md",
        f"label: {labelled.summary}",
        tables,
        notes=notes,
        pictures=pictures,
        config=(run_dir / "config.yaml").read_text(encoding="utf-8"),
    )
    write_text(session.output, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in labelled.lines))
    screen = console()
    for table in tables:
        show(screen, table)
    for note in notes:
        say(screen, f"note: {note}")
    say(screen, f"{labelled.summary} → {session.output}; report: {os.path.relpath(run_dir / 'report.md')}")
