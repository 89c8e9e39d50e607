"""Peak memory at 16,384 tokens: a training step of MiniLM in bf16, and each sparse kernel against materialised
scores."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ctxlab.config import catalogue
from ctxlab.models.minilm import MiniLM
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.strategies.attention.local import Local
from ctxlab.strategies.positions.tile import Tile
from scripts.bench import attention
from scripts.bench.models import WINDOW, training_step
from scripts.bench.timing import last_json, row

LENGTH = 16384
KERNEL_HEADS = 2
"""Fewer than MiniLM has, because materialised scores of twelve heads would need about 40 GB."""


def measure(_: Path) -> list[dict[str, Any]]:
    """Measure the whole process for the training step, and single kernels."""
    model = MiniLM().build("token_classification", [str(label) for label in range(9)])
    Tile().extend(model, LENGTH)
    Local(WINDOW, 1).install(model)
    step = training_step(model, LENGTH, bf16=True)
    meter = MemoryMeter(torch.device("cpu"))
    step()
    step()
    step_row = row("peak memory of a 16,384-token training step, bf16, GB", meter.peak_bytes() / 1e9, at_most=4.5)
    return [step_row, *kernels()]


def kernels() -> list[dict[str, Any]]:
    """Measure forward and backward pass of one layer, each kernel in its own process."""
    names = [name for name in catalogue.options("strategy/attention") if name not in attention.DENSE]
    dense = alone("eager")
    what = f"attention at 16,384 tokens, {KERNEL_HEADS} heads, float32: peak memory, as a share of materialised scores"
    return [row(f"{name} {what}", alone(name) / dense, at_most=1 / 8) for name in names]


def alone(name: str) -> int:
    """Return the peak memory in bytes that a kernel adds to its process."""
    command = [sys.executable, "-m", "scripts.bench.memory", name]
    return int(last_json(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def increase(name: str) -> int:
    """Return the same for this process, after a short run that loads libraries."""
    attention.HEADS = KERNEL_HEADS

    def kernel(length: int) -> Callable[[], None]:
        return eager(length) if name == "eager" else attention.sparse(name, length, torch.float32)

    kernel(64)()
    step = kernel(LENGTH)
    meter = MemoryMeter(torch.device("cpu"))
    before = meter.peak_bytes()
    step()
    return meter.peak_bytes() - before


def eager(length: int) -> Callable[[], None]:
    """Return a step of attention with materialised scores."""
    query, key, value = attention.tensors(length, torch.float32)

    def step() -> None:
        scores = query @ key.mT * attention.WIDTH**-0.5
        (scores.softmax(-1) @ value).sum().backward()

    return step


if __name__ == "__main__":
    print(json.dumps(increase(sys.argv[1])))
