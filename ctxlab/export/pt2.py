"""PT2: torch's own archive of a traced model, which needs torch alone."""

from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.export import Exporter
from ctxlab.export.tracing.archive import pickled_parts
from ctxlab.export.tracing.trace import quietly


class Pt2(Exporter):
    """Writes ``torch.export``'s archive: a graph as JSON and the bytes of each weight, without pickle."""

    runtime = "torch"
    int8 = False
    max_loss = 0.0

    def check(self) -> None:
        """Do nothing: torch is always there."""

    def write(self, program: Any, path: Path) -> dict[str, Any]:
        """Write the archive; raises UserError if a weight could only be written as pickle."""
        import torch

        with quietly():
            torch.export.save(program, path)
        if pickled := pickled_parts(path):
            raise UserError(f"export=pt2 would write {pickled[0]} as pickle, which is never read: use export=onnx.")
        return {}

    def quantize(self, path: Path) -> None:
        """Raise NotImplementedError: the format has no int8."""
        raise NotImplementedError("export=pt2 has no int8")
