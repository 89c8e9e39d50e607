"""``ctxlab compare``: train candidates under an equal budget and conclude which one is worth its cost."""

from ctxlab.workbench.comparing import judging, session
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Check every candidate, run the missing cells, compare, and write the page.

    Raises:
        UserError: There is nothing to compare, or no budget; nothing was run.
        CheckFailed: A cell failed; the others were compared.
        Interrupted: A signal was received; finished cells are kept.
    """
    comparison = session.prepare(parts)
    session.announce(comparison)
    session.train(comparison)
    judging.conclude(comparison)
