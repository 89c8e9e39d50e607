"""``ctxlab monitor run=… input=stream.jsonl``: alarms where documents are not as they were."""

from ctxlab.core.errors import UserError
from ctxlab.workbench.monitoring import page, session
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Read what is new in the stream, write the page, and tell of alarms.

    Raises:
        Alarmed: An alarm rings that no command has told of.
        UserError: Stream, reference or cursor do not fit.
    """
    if parts.trainer.processes > 1:
        raise UserError(f"trainer.processes={parts.trainer.processes}: ctxlab monitor uses one process; leave it out.")
    page.publish(session.monitor(parts))
