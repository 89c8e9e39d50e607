"""Peak memory of one 16,384-token training step of MiniLM in bf16."""

from pathlib import Path
from typing import Any

import torch

from ctxlab.models.minilm import MiniLM
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.positions.tile import Tile
from ctxlab.training.cost import MemoryMeter
from scripts.bench.models import WINDOW, training_step
from scripts.bench.timing import row

LENGTH = 16384


def measure(_: Path) -> list[dict[str, Any]]:
    """Of the whole process, libraries included."""
    model = MiniLM().build("token_classification", [str(label) for label in range(9)])
    Tile().extend(model, LENGTH)
    Local(WINDOW, 1).install(model)
    step = training_step(model, LENGTH, bf16=True)
    meter = MemoryMeter(torch.device("cpu"))
    step()
    step()
    return [row("peak memory of a 16,384-token training step, bf16, GB", meter.peak_bytes() / 1e9, at_most=4.5)]
