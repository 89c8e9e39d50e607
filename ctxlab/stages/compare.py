"""``ctxlab compare``: which candidates are worth it, from trainings under one budget to one sentence."""

from ctxlab.workbench.comparing import judging, session
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Check every candidate, train what is missing, judge, and write the page.

    Raises:
        UserError: There is nothing to compare, or no budget; nothing was run.
        CheckFailed: A cell failed; the others were compared.
        Interrupted: A signal came; what is done is kept.
    """
    comparison = session.prepare(parts)
    session.announce(comparison)
    session.train(comparison)
    judging.conclude(comparison)
