"""torch: training runs as they are, and archives of ``torch.export``."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F

from ctxlab.core.errors import UserError
from ctxlab.core.runtime import Compute, Runtime
from ctxlab.export.tracing.archive import pickled_parts


class Torch(Runtime):
    """Computes a traced model with torch, on the CPU in fp32."""

    file = "model.pt2"
    trains = True

    def check(self) -> None:
        """Do nothing: torch is always there."""

    def open(self, path: Path) -> Compute:
        """Load an archive; raises UserError if it is none, or has parts that would be unpickled."""
        try:
            pickled = pickled_parts(path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = None if pickled else torch.export.load(path).module()
        except Exception as error:
            raise UserError(f"{path} is not an archive of torch.export: export the run again.") from error
        if module is None:
            raise UserError(f"{path} has {pickled[0]} as pickle, which is never read: export the run again.")

        def compute(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
            length = inputs["input_ids"].shape[1]
            if length > 1:
                found: torch.Tensor = module(**inputs)
                return found
            # Graphs of torch take at least two tokens: the second one is padding, which nothing depends on.
            found = module(**{name: F.pad(value, (0, 1)) for name, value in inputs.items()})
            return found[:, :1] if found.ndim == 3 else found

        return compute
