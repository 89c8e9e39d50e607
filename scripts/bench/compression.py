"""Each way to compress MiniLM, without and with healing: F1, weights, bytes and speed beside the original's.

MiniLM is trained on the built-in documents for named entities, in fp32, and each mechanism is then one command.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from scripts.bench.timing import ctxlab, row

TRAINING = (
    "+experiment=ner_context", "context=256", "strategy=chunk", "data.ambiguous_share=0", "optimizer.lr=4e-4",
    "trainer.tokens_per_step=512", "trainer.max_steps=120", "trainer.precision=fp32", "tracking=none",
)  # fmt: skip
"""Training of the original."""

HEALING = 40
"""Steps of healing where there is something to heal."""

REPEATS = 20
"""Repetitions of a product."""

WAYS = {
    "4 of 6 layers": ("layers", "compression.layers=4"),
    "75 % of the hidden units": ("ffn", "compression.share=0.25"),
    "75 % of the heads": ("heads", "compression.share=0.25"),
    "layers shared in pairs": ("share", "compression.size=2"),
    "pieces of the training documents": ("vocabulary",),
    "weights of 8 bits": ("int8",),
}
"""What the table calls it → option and keys."""

LIMITS: dict[str, dict[str, dict[str, float]]] = {
    "4 of 6 layers": {"lost": {"at_most": 0.015}, "speed": {"at_least": 1.45}},
    "75 % of the hidden units": {"lost": {"at_most": 0.015}, "speed": {"at_least": 1.12}},
    "pieces of the training documents": {"lost": {"at_most": 0.0}, "bytes": {"at_most": 0.65}},
    "weights of 8 bits": {"lost": {"at_most": 0.005}},
}
"""What is aimed at."""


def measure(_: Path) -> list[dict[str, Any]]:
    """Train, compress, and return the figures of every way."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "original"
        ctxlab("train", *TRAINING, f"hydra.run.dir={run}")
        return [*zeros(), *(one for name in WAYS for one in _rows(name, run, Path(folder)))]


def zeros() -> list[dict[str, Any]]:
    """Return the speed of a product whose weights are half or mostly zeros over the product with all of them.

    The sizes are those of a feed-forward layer of MiniLM and a window of 512 tokens. ``compress`` offers neither.
    """
    made = torch.Generator().manual_seed(0)
    weight, states = torch.randn(1536, 384, generator=made), torch.randn(512, 384, generator=made)
    kept = {
        "half of the weights zero": torch.rand(weight.shape, generator=made) < 0.5,
        "2 of 4 weights zero": _two_of_four(weight),
        "nine tenths of the weights zero": torch.rand(weight.shape, generator=made) < 0.1,
    }
    dense = _product(weight, states)
    lines = []
    for name, keeps in kept.items():
        pruned = weight * keeps
        stored = pruned.to_sparse_csr()
        ways = {"as they are": _product(pruned, states), "stored as CSR": _product(stored, states)}
        lines += [row(f"{name}, {way}: speed of the product", dense / seconds) for way, seconds in ways.items()]
    return lines


def _two_of_four(weight: torch.Tensor) -> torch.Tensor:
    """Return which weights are kept: the two largest of every four in a row."""
    groups = weight.abs().reshape(-1, 4)
    return torch.zeros_like(groups).scatter_(1, groups.topk(2).indices, 1).reshape(weight.shape)


def _product(weight: torch.Tensor, states: torch.Tensor) -> float:
    """Return the least processor time of a product of weights (D, H) and states (L, H), in seconds."""
    found = []
    for _ in range(REPEATS):
        started = time.process_time()
        weight @ states.T
        found.append(time.process_time() - started)
    return min(found)


def _rows(name: str, run: Path, folder: Path) -> list[dict[str, Any]]:
    option, *keys = WAYS[name]
    made = folder / option
    heals = [] if option in ("vocabulary", "int8") else [f"healing.steps={HEALING}"]
    ctxlab("compress", f"run={run}", f"compression={option}", *keys, *heals, f"hydra.run.dir={made}")
    stands = json.loads((made / "result.json").read_text())["breakdowns"]["validation"]["compression"]
    first, *_, last = stands
    limits = LIMITS.get(name, {})
    size = "MB of weights"
    lines = [row(f"{name}: F1 of the original", first["f1"])]
    for stand in stands[1:]:
        lines.append(row(f"{name}: F1 {stand['model']}", stand["f1"]))
        lines.append(row(f"{name}: agreement {stand['model']}", stand["agreement"]))
    return [
        *lines,
        row(f"{name}: F1 lost in the end", first["f1"] - last["f1"], **limits.get("lost", {})),
        row(f"{name}: weights over the original's", last["parameters"] / first["parameters"]),
        row(f"{name}: bytes over the original's", last[size] / first[size], **limits.get("bytes", {})),
        row(f"{name}: speed over the original's", last["speed"], **limits.get("speed", {})),
    ]
