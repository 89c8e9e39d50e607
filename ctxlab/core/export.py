"""Protocol of export formats: from a traced model to one file."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ctxlab.core.contract import Component


class Exporter(Component, ABC):
    """A format; each is one file under ``ctxlab/export``."""

    runtime: str
    """Option of ``runtime=`` that computes with the file."""
    int8: bool
    """Whether ``quantize`` is to be called."""
    max_loss: float
    """What the primary metric may lose by ``quantize``, on the run's own documents."""

    @abstractmethod
    def check(self) -> None:
        """Do nothing if the libraries of the format are installed.

        Raises:
            UserError: One is not; names the extra that has it.
        """

    @abstractmethod
    def write(self, program: Any, path: Path) -> dict[str, Any]:
        """Write a traced model (``torch.export.ExportedProgram``), which may be changed, and return facts about it.

        The file has neither paths of this machine nor example inputs.

        Raises:
            UserError: The format has no form of an operation of the model.
        """

    @abstractmethod
    def quantize(self, path: Path) -> None:
        """Replace the weights in the file by int8 ones; called where ``int8`` is set."""
