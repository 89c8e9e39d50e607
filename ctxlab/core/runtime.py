"""Protocol of runtimes: what computes the outputs of windows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from ctxlab.core.contract import Component

Compute = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]
"""Maps named inputs (B, W), int64, to the outputs of a model: (B, W, C), or (B, C) of a head with one per window."""


class Runtime(Component, ABC):
    """A runtime; each is one file under ``ctxlab/runtime/engines``."""

    file: str
    """Name of the file of a bundle that it computes with."""
    trains: bool
    """Whether it also runs the models of training runs, which are no bundles."""

    @abstractmethod
    def check(self) -> None:
        """Do nothing if the runtime is installed.

        Raises:
            UserError: It is not; names the extra that has it.
        """

    @abstractmethod
    def open(self, path: Path) -> Compute:
        """Load the model in ``path``.

        Raises:
            UserError: The file is not such a model.
        """
