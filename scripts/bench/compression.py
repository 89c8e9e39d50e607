"""Each way to compress MiniLM, without and with healing: F1, weights, bytes and speed beside the original's.

MiniLM is trained on the built-in documents for named entities, in fp32, and each mechanism is then one command.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from scripts.bench.timing import ctxlab, row

TRAINING = (
    "+experiment=ner_context", "context=256", "strategy=chunk", "data.ambiguous_share=0", "optimizer.lr=4e-4",
    "trainer.tokens_per_step=512", "trainer.max_steps=120", "trainer.precision=fp32", "tracking=none",
)  # fmt: skip
"""Training of the original."""

HEALING = 40
"""Steps of healing where there is something to heal."""

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
        return [one for name in WAYS for one in _rows(name, run, Path(folder))]


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
