"""What computes a trained run fastest and smallest: torch, and onnxruntime with fp32 and int8 weights.

A run is trained for a minute or two, or given by ``CTXLAB_BENCH_RUN=<run directory of task=ner>``, and exported at
``LENGTH`` tokens. Forward passes of all runtimes alternate. The gate is the quality on the run's test documents: F1 and
the share of labels that are the same, never the distance of outputs.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ctxlab.command.compose import compose
from ctxlab.core import bundle
from ctxlab.export.onnx import Onnx
from ctxlab.runtime.device import make_accelerator, slow_precision
from ctxlab.runtime.engines.onnx import Onnx as OnnxRuntime
from ctxlab.runtime.exported_model import ExportedModel
from ctxlab.stages.eval import documents_with
from ctxlab.workbench.exporting.parity import Compared
from ctxlab.workbench.finish import score_split
from ctxlab.workbench.opening import Opened, open_bench
from ctxlab.workbench.parts import make_parts
from scripts.bench.timing import alternate, ctxlab, row

LENGTH = 512
"""Tokens of the timed window: what the model was trained for, and a second on a slow machine."""

ROUNDS = 5

TRAINING = ("+experiment=ner_context", "context=256", "strategy=chunk", "trainer.max_tokens=240000", "tracking=none")

READING = ("strategy=chunk", f"context={LENGTH}")

MOST_LOST = 0.005
"""F1 that int8 may lose."""


@dataclass(frozen=True, eq=False)
class Contender:
    """One way to compute the run."""

    model: Any
    megabytes: float
    bf16: bool = False

    def forward(self, inputs: dict[str, torch.Tensor]) -> Callable[[], Any]:
        """Return the forward pass to time."""

        def step() -> None:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                self.model(**inputs)

        return step


def measure(_: Path) -> list[dict[str, Any]]:
    """Return the table of runtimes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run = _run(place)
        ctxlab("export", f"run={run}", *READING, "export=onnx", "split=test", "tracking=none",
               f"hydra.run.dir={place / 'export'}")  # fmt: skip
        opened = _opened(run)
        contenders = _contenders(opened, place / "export" / bundle.FOLDER)
        return [*_speeds(contenders), *_quality(opened, contenders)]


def _run(place: Path) -> Path:
    given = os.environ.get("CTXLAB_BENCH_RUN")
    if given:
        return Path(given).absolute()
    ctxlab("train", *TRAINING, f"hydra.run.dir={place / 'run'}")
    return place / "run"


def _opened(run: Path) -> Opened:
    """Open the run as it was exported, in fp32 on the CPU."""
    words = [f"run={run}", "split=test", *READING, "trainer.precision=fp32", "trainer.device=cpu", "tracking=none"]
    parts = make_parts(compose("eval", words), run)
    return open_bench(parts, lambda task: documents_with(parts, task, "test"), scored=("test",))


def _contenders(opened: Opened, exported: Path) -> dict[str, Contender]:
    model, path = opened.bench.model, exported / OnnxRuntime.file
    small = exported.parent / "int8.onnx"
    shutil.copy(path, small)
    Onnx(int8=True).quantize(small)
    assert opened.checkpoint is not None
    weights = (opened.checkpoint / "model.safetensors").stat().st_size / 1e6
    found = {"torch fp32": Contender(model, weights)}
    if slow_precision(make_accelerator("cpu", "bf16")) is None:
        found["torch bf16"] = Contender(model, weights, bf16=True)
    for name, file in (("onnx fp32", path), ("onnx int8", small)):
        found[name] = Contender(ExportedModel(OnnxRuntime().open(file), model.config), file.stat().st_size / 1e6)
    return found


def _speeds(contenders: dict[str, Contender]) -> list[dict[str, Any]]:
    ids = torch.randint(5, 20_000, (1, LENGTH), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    seconds = alternate({name: one.forward(inputs) for name, one in contenders.items()}, rounds=ROUNDS)
    first, size = seconds["torch fp32"], contenders["torch fp32"].megabytes
    rows = [row(f"torch fp32, {LENGTH:,} tokens: tokens/s", LENGTH / first)]
    for name, one in contenders.items():
        if name != "torch fp32":
            rows.append(row(f"{name}: tokens/s over torch fp32", first / seconds[name]))
            rows.append(row(f"… file over that of torch fp32 ({size:.1f} MB)", one.megabytes / size))
    return rows


def _quality(opened: Opened, contenders: dict[str, Contender]) -> list[dict[str, Any]]:
    bench, documents = opened.bench, opened.documents.test
    figure = bench.task.primary_metric
    plain = score_split(bench, "test", documents).evaluation.scores.metrics[figure]
    rows = [row(f"torch fp32: {figure} of {len(documents)} documents", plain)]
    for name, one in contenders.items():
        if one.model is bench.model:
            continue  # bf16 is a setting of the run, which its own scores tell
        own = score_split(replace(bench, model=one.model), name, documents).evaluation.scores.metrics[figure]
        both = Compared(bench.model, one.model).eval()
        score_split(replace(bench, model=both), name, documents)
        agreement = 1 - both.difference.flips / both.difference.compared
        rows.append(row(f"{name}: {figure} lost", plain - own, at_most=MOST_LOST if "int8" in name else 1e-4))
        rows.append(row(f"… share of labels that are the same, of {both.difference.compared:,}", agreement))
    return rows
