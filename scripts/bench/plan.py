"""What `ctxlab plan` predicts beside what `ctxlab train` measures, each in a process of its own.

Memory is the peak of the process; its increase is over the process before the first step. The first steps are not
timed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctxlab.core.result import read
from ctxlab.tracking.metrics_file import read_metrics

MINILM = ("task=ner", "model=minilm", "data.documents=16")
SHORT = (*MINILM, "context=512", "strategy=chunk")
LONG = (*MINILM, "context=4096", "strategy=longformer")
DENSE = (*MINILM, "context=2048", "strategy=dense")
NOVEL = ("data.documents=4", "data.words_per_document=5000", "data.evidence_distance=[40]")

CELLS = (
    SHORT,
    (*SHORT, "trainer.precision=fp32"),
    (*SHORT, "trainer.tokens_per_forward=1024"),
    (*SHORT, "trainer.activation_checkpointing=true"),
    (*SHORT, "optimizer=sgd"),
    LONG,
    (*LONG, "trainer.precision=fp32"),
    (*LONG, "trainer.activation_checkpointing=true"),
    (*LONG, "tuning=top_k"),
    (*MINILM, "context=8192", "strategy=longformer", *NOVEL),
    (*MINILM, "context=8192", "strategy=longformer", *NOVEL, "trainer.tokens_per_step=8192"),
    DENSE,
    (*DENSE, "trainer.precision=fp32"),
    (*MINILM, "context=1024", "strategy=bigbird"),
    (*MINILM, "context=2048", "strategy=rmt"),
    (*MINILM, "context=4096", "strategy=hierarchical"),
    ("task=classification", "model=minilm", "data.documents=16", "context=1024", "strategy=longformer"),
    ("task=mlm", "model=minilm", "data.documents=16", "context=512", "strategy=chunk", "trainer.tokens_per_step=2048"),
    ("task=lm", "model=smollm2", "data.documents=16", "context=512", "strategy=chunk", "trainer.tokens_per_step=512"),
    ("task=ner", "model=tiny_bert", "data.documents=16", "context=512", "strategy=chunk"),
    ("task=lm", "model=tiny_gpt2", "data.documents=16", "context=1024", "strategy=chunk"),
)
"""Overrides of each cell."""

STEPS, COLD_STEPS = 16, 3
"""Steps of a training run, and those of them that make states and kernels and are not timed."""

LOW, PEAK, INCREASE, TIME = 0.03, 0.10, 0.15, 0.25
"""Errors that are allowed: of a peak that is predicted too low, of a peak, of its increase, of seconds."""


def measure(_: Path) -> list[dict[str, Any]]:
    """Return a row for each cell."""
    return [row for cell in CELLS for row in rows(cell)]


def rows(cell: Sequence[str]) -> list[dict[str, Any]]:
    """Return predicted beside measured for one cell."""
    with tempfile.TemporaryDirectory() as folder:
        before, peak, seconds = trained(cell, Path(folder) / "train")
        predicted = planned(cell, Path(folder) / "plan")
    memory, time = predicted["peak_memory_bytes"], predicted["seconds_per_step"]
    name = " ".join(word for word in cell if not word.startswith("data."))
    error, gain = memory / peak - 1, (memory - peak) / max(peak - before, 1)
    shown = f"{memory / 2**20:,.0f} MiB for {peak / 2**20:,.0f} ({error:+.1%}; of its increase {gain:+.1%})"
    late = f"{time:.2f} s for {seconds:.2f} ({time / seconds - 1:+.1%})"
    small = peak - before < 250 * 2**20  # a few MiB are a large fraction of little
    return [
        {
            "what": f"peak: {name}",
            "measured": shown,
            "target": f"−{LOW:.0%} to {PEAK:.0%}, increase ±{INCREASE:.0%}",
            "met": -LOW <= error <= PEAK and (small or abs(gain) <= INCREASE),
        },
        {
            "what": f"step: {name}",
            "measured": late,
            "target": f"±{TIME:.0%}",
            "met": abs(time / seconds - 1) <= TIME,
        },
    ]


def planned(cell: Sequence[str], folder: Path) -> dict[str, Any]:
    """Return the figures of a cell that `ctxlab plan` gives, without its cache."""
    environment = {**os.environ, "CTXLAB_CACHE": str(folder.parent / "cache")}
    command = [sys.executable, "-m", "ctxlab", "plan", *cell, f"hydra.run.dir={folder}"]
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    found: dict[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["candidates"][0]
    return found


def trained(cell: Sequence[str], folder: Path) -> tuple[int, int, float]:
    """Return memory before the first step, peak memory and seconds of a step of a training run."""
    limits = [f"trainer.max_steps={STEPS}", "trainer.log_every_steps=1"]
    words = [*cell, *limits, "tracking=none", f"hydra.run.dir={folder}"]
    command = [sys.executable, "-m", "scripts.bench.plan", *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    before = int(done.stdout.strip().splitlines()[-1])
    seconds = {row["step"]: row["seconds"] for row in read_metrics(folder / "metrics.jsonl") if row["kind"] == "train"}
    warm = (seconds[STEPS] - seconds[COLD_STEPS]) / (STEPS - COLD_STEPS)
    return before, read(folder).cost.peak_memory_bytes or 0, warm


def train(words: Sequence[str]) -> int:
    """Train in this process; returns its memory before the first step."""
    from ctxlab import cli
    from ctxlab.runtime.cost import MemoryMeter
    from ctxlab.workbench import meter

    before: list[int] = []

    class Noted(MemoryMeter):
        def __init__(self, device: Any) -> None:
            super().__init__(device)
            before.append(self.peak_bytes())  # the peak has just been reset

    vars(meter)["MemoryMeter"] = Noted
    if cli.main(["train", *words]):
        raise SystemExit(1)
    return before[0]


if __name__ == "__main__":
    print(train(sys.argv[1:]))
