"""``ctxlab label run=… input=pool.jsonl output=pseudo.jsonl``: from unlabelled documents to training documents."""

from ctxlab.workbench.labelling import page, session
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Label the documents, write the output file and the report.

    Raises:
        UserError: The task has no labels to suggest, or there is nothing to write.
    """
    page.publish(session.label(parts))
