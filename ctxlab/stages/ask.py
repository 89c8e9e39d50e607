"""``ctxlab ask run=… input=manuals question="…"``: answers from a folder of documents, with the place that says so."""

from ctxlab.workbench.asking.telling import ask
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Answer the questions and write ``answers.jsonl``.

    Raises:
        UserError: The run does not answer questions, or documents, questions or retriever do not fit.
    """
    ask(parts)
