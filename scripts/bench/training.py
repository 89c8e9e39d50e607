"""Whole training steps of MiniLM's sizes: against Longformer, against dense SDPA, and growth with the length."""

from pathlib import Path
from typing import Any

from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from ctxlab.training.device import make_accelerator
from scripts.bench.models import WINDOW, bert, longformer, training_step
from scripts.bench.timing import row, take_turns

LENGTH = 4096


def measure(_: Path) -> list[dict[str, Any]]:
    """In the precision that ``trainer.precision=auto`` takes here, for all alike."""
    bf16 = make_accelerator("cpu", "auto").mixed_precision == "bf16"
    precision = "bf16" if bf16 else "fp32"
    models = {
        "local": bert(LENGTH, Local(WINDOW, 1)),
        "dense": bert(LENGTH, Full()),
        "longformer": longformer(LENGTH),
    }
    steps = {name: training_step(model, LENGTH, bf16=bf16) for name, model in models.items()}
    seconds = take_turns(steps, rounds=5)
    growing = {
        length: training_step(bert(length, Local(WINDOW, 1)), length, bf16=bf16, rows=16384 // length)
        for length in (2048, 16384)
    }
    grown = take_turns({str(length): step for length, step in growing.items()}, rounds=5)
    return [
        row(f"training tokens/s at 4,096, {precision}", LENGTH / seconds["local"]),
        row(
            "… times LongformerForTokenClassification of the same sizes",
            seconds["longformer"] / seconds["local"],
            at_least=3,
        ),
        row("… times dense SDPA without attention dropout", seconds["dense"] / seconds["local"], at_least=2),
        row("seconds per token at 16,384 over those at 2,048", grown["16384"] / grown["2048"], at_most=1.25),
    ]
