"""What ``ctxlab export`` leaves besides the bundle: a report, and a summary on the screen."""

import os

from ctxlab.core import bundle
from ctxlab.reporting.labelling import write_page
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import console, say
from ctxlab.workbench.exporting.session import Session

READ = "Read it with `ctxlab eval run={folder} runtime={runtime}`; the folder can be moved and copied as a whole."


def publish(session: Session) -> None:
    """Write the report, and print the comparison."""
    run_dir, found = session.parts.origin.run_dir, bundle.read(session.folder)
    tables = [session.table, *([session.lost] if session.lost else [])]
    size = (session.folder / found.file).stat().st_size
    notes = [
        *session.notes,
        f"{found.file} has {size / 1e6:,.1f} MB; compared on {session.parity['machine']}.",
        READ.format(folder=os.path.relpath(session.folder), runtime=found.runtime),
    ]
    write_page(
        run_dir / "report.md",
        f"export: {found.format}{' int8' if found.int8 else ''} of {found.run}",
        tables,
        notes=notes,
        pictures=[],
        config=(run_dir / "config.yaml").read_text(encoding="utf-8"),
    )
    screen = console()
    for table in tables:
        show(screen, table)
    for note in notes:
        say(screen, f"note: {note}")
    say(screen, f"{os.path.relpath(session.folder)}")
