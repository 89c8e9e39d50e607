"""A model of a bundle, called as a model of Transformers is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.runtime import Compute


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What the model returns."""

    logits: torch.Tensor


class ExportedModel(torch.nn.Module):
    """Computes with a runtime; it has no weights that torch knows of."""

    def __init__(self, compute: Compute, config: Any) -> None:
        """Take what computes, and the config of the model."""
        super().__init__()
        self.compute, self.config = compute, config

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Outputs:
        """Return the outputs of windows (B, W)."""
        inputs: Mapping[str, torch.Tensor] = {"input_ids": input_ids, "attention_mask": attention_mask}
        with torch.inference_mode():
            return Outputs(self.compute(inputs))
