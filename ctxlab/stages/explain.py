"""``ctxlab explain run=… explanation=integrated``: which parts of a document an answer depends on."""

from ctxlab.workbench.explaining import page, session
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Explain the documents, check the explanations, write lines, page and report.

    Raises:
        UserError: The task has no answer that can be explained, or a document is too long for the mechanism.
        CheckFailed: Something is attributed to what the strategy declares to be out of reach.
    """
    page.publish(session.explain(parts))
