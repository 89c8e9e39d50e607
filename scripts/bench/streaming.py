"""Perplexity over 100,000 tokens at constant memory: SmolLM2 with sinks, through the code that ``eval`` runs."""

import json
import math
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ctxlab.command.compose import compose
from ctxlab.core.types import Encoded
from ctxlab.data.splits import Splits
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.tasks.text.encoding import encode_text
from ctxlab.workbench.opening import open_bench
from ctxlab.workbench.parts import make_parts
from scripts.bench.lm import NOVEL
from scripts.bench.timing import row

LENGTH, WINDOW = 100_000, 1024
WARM_UP = 4
"""Windows that are not measured: until the cache is full and the allocator is warm."""


def measure(data: Path) -> list[dict[str, Any]]:
    """Measure the peak memory of each window, and the scores of all."""
    words = ["task=lm", "model=smollm2", "strategy=streaming", f"context.length={LENGTH}", "tracking=none"]
    cache = [f"strategy.reading.window={WINDOW}", f"strategy.memory.window={WINDOW - 4}"]
    parts = make_parts(compose("eval", [*words, *cache]), Path())
    bench = open_bench(parts, lambda _: Splits(train=[], validation=[], test=[])).bench
    novels = (data / "lm_novels" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    (text,) = [novel["text"] for novel in map(json.loads, novels) if novel["id"] == NOVEL]
    ids = encode_text(bench.tokenizer, text[:800_000]).input_ids[:LENGTH]
    assert len(ids) == LENGTH
    labels = np.append(ids[1:], -100)
    peaks: list[int] = []
    meter = MemoryMeter(bench.accelerator.device)

    def done(_: int) -> None:
        nonlocal meter
        peaks.append(meter.peak_bytes())
        meter = MemoryMeter(bench.accelerator.device)

    document = Encoded(ids, np.arange(LENGTH), labels)
    (merged,) = bench.reader().read([document], done)
    scores = merged.outputs[:-1, 0]
    settled = peaks[WARM_UP:]
    tenths = [math.exp(float(part.mean())) for part in np.array_split(scores, 10)]
    tenth = len(settled) // 10
    return [
        row(f"streaming: perplexity of smollm2 (4-bit) over {LENGTH:,} tokens, {WINDOW:,} in the cache",
            math.exp(float(scores.mean()))),
        row("… of its worst tenth, times that of the best", max(tenths) / min(tenths)),
        row("… fraction of tokens with a finite score", float(np.isfinite(scores).mean()), at_least=1),
        row("… peak memory in the last tenth, times that in the first",
            median(settled[-tenth:]) / median(settled[:tenth]), at_most=1.02),
        row("… highest peak of a window, times the lowest", max(settled) / min(settled)),
    ]  # fmt: skip
