"""Adafactor (Shazeer and Stern 2018, arXiv:1804.04235)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctxlab.core.optim import OptimizerFactory


@dataclass
class Adafactor(OptimizerFactory):
    """Adafactor stores second moments as row and column means: its state is about a thousandth of AdamW's.

    Deviation from the paper: the step size follows the schedule rather than the paper's relative step.
    """

    lr: float
    weight_decay: float
    beta2_decay: float
    clip_threshold: float

    def build(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return the optimizer over ``groups``."""
        return torch.optim.Adafactor(groups, lr=self.lr, beta2_decay=self.beta2_decay, d=self.clip_threshold)
