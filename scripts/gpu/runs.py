"""Whole runs on a device: what a step waits for, what the memory meter says, and whether a resumed run is the same."""

import hashlib
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from ctxlab.cli import main
from ctxlab.runtime.cost import MemoryMeter
from ctxlab.training.state import TrainState
from scripts.bench.loop import loop

WORDS = (
    "task=ner", "model=tiny_bert", "strategy=longformer", "context=1024", "tracking=none", "data.documents=8",
    "data.validation_documents=1", "data.test_documents=1", "data.words_per_document=800", "trainer.max_steps=6",
    "trainer.save_every_steps=3", "trainer.tokens_per_step=4096", "trainer.tokens_per_forward=2048",
)  # fmt: skip
SMALL = ("context=128", "data.words_per_document=100", "data.evidence_distance=[16]", "trainer.tokens_per_step=512",
         "trainer.tokens_per_forward=256", "strategy.attention.window=16")  # fmt: skip

SAME_RATE = ("scheduler=constant", "scheduler.warmup_share=0")
"""A learning rate that does not depend on the number of steps."""

MOST_SYNCHRONISATIONS = 2
"""Of a step of one pass: its loss is looked at once, and its gradient's norm."""


def _words(small: bool) -> list[str]:
    chosen = {word.split("=")[0]: word for word in (*WORDS, *(SMALL if small else ()))}
    return list(chosen.values())


def synchronisations(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Count how often the CPU waits for the GPU in a training step of two passes, without the first ones."""
    if device.type != "cuda":
        return [{"what": "waits of a step", "measured": "only a GPU has them"}]
    with tempfile.TemporaryDirectory() as folder:
        trainer, _ = loop(_words(small), Path(folder))
        state = TrainState()
        for step in range(3):
            epoch, progress = trainer._position(state)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn" if step == 2 else "default")
                trainer._step(state, epoch, progress)
                torch.cuda.set_sync_debug_mode("default")
    places = sorted(f"{Path(one.filename).name}:{one.lineno}" for one in caught if "synchroniz" in str(one.message))
    return [
        {"what": "waits of a step of two passes", "measured": len(places), "target": MOST_SYNCHRONISATIONS,
         "met": len(places) <= MOST_SYNCHRONISATIONS, "places": places}
    ]  # fmt: skip


def memory_meter(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Compare the meter with the size of a tensor that is known."""
    wanted = (64 if small else 1024) * 2**20
    meter = MemoryMeter(device)
    before = meter.peak_bytes()
    torch.ones(wanted, dtype=torch.uint8, device=device)
    found = meter.peak_bytes() - before
    met = None if small else abs(found - wanted) <= 0.1 * wanted
    return [{"what": f"peak memory of a tensor of {wanted:,} bytes", "measured": found, "target": wanted, "met": met}]


def resume(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Train six steps, and three and three, and compare the bits of the weights."""
    with tempfile.TemporaryDirectory() as base:
        whole, cut = Path(base) / "whole", Path(base) / "cut"
        words = [*_words(small), f"trainer.device={device.type}", "trainer.deterministic=true", *SAME_RATE]
        for arguments in (
            [*words, f"hydra.run.dir={whole}"],
            [*(word for word in words if "max_steps" not in word), "trainer.max_steps=3", f"hydra.run.dir={cut}"],
            [f"resume={cut}", "trainer.max_steps=6"],
        ):
            if main(["train", *arguments]):
                return [{"what": "a run", "measured": " ".join(arguments), "met": False}]
        hashes = [
            hashlib.sha256((run / "checkpoints/step-00000006/model.safetensors").read_bytes()).hexdigest()
            for run in (whole, cut)
        ]
    same = hashes[0] == hashes[1]
    return [{"what": "a resumed run ends with the bits of the whole one", "measured": same, "met": same}]
