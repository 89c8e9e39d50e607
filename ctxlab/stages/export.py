"""``ctxlab export run=… export=onnx``: a bundle of the model, proven to give the answers of the run."""

from ctxlab.workbench.exporting import page, session
from ctxlab.workbench.parts import Parts


def run(parts: Parts) -> None:
    """Export the run, compare both, and write the bundle and a report.

    Raises:
        UserError: The run cannot be exported.
        CheckFailed: The exported model gives other answers.
    """
    page.publish(session.export(parts))
