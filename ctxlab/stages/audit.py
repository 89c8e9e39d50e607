"""``ctxlab audit run=<run directory>``: does the run treat documents differently for what should not matter?"""

from ctxlab.workbench.auditing import page, session
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Make all checks, write page and JSON.

    Raises:
        UserError: The run, its documents and the checks do not fit together.
        FoundSomething: A check found something (exit status 4), unless ``audit.fail`` is false.
    """
    page.publish(session.audit(parts))
