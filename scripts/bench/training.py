"""Whole training steps at MiniLM's sizes: against Longformer, against dense SDPA, and growth with the length."""

from pathlib import Path
from typing import Any

from ctxlab.runtime.device import make_accelerator
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.attention.local import Local
from scripts.bench.models import WINDOW, bert, longformer, training_step
from scripts.bench.timing import alternate, row

LENGTH = 4096


def measure(_: Path) -> list[dict[str, Any]]:
    """Measure each model in fp32 and bf16, and growth in the precision that ``trainer.precision=auto`` chooses here."""
    auto = make_accelerator("cpu", "auto").mixed_precision == "bf16"
    return [*comparison(bf16=False), *comparison(bf16=True), growth(bf16=auto)]


def comparison(*, bf16: bool) -> list[dict[str, Any]]:
    """Return the tokens per second at 4,096, and the ratios to the other models.

    The target against Longformer applies to fp32 only, the library's default precision.
    """
    models = {
        "local": bert(LENGTH, Local(WINDOW, 1)),
        "dense": bert(LENGTH, Full()),
        "longformer": longformer(LENGTH),
    }
    steps = {name: training_step(model, LENGTH, bf16=bf16) for name, model in models.items()}
    seconds = alternate(steps, rounds=5)
    precision = "bf16" if bf16 else "fp32"
    return [
        row(f"training tokens/s at 4,096, {precision}", LENGTH / seconds["local"]),
        row(
            f"… times LongformerForTokenClassification of the same sizes, {precision}",
            seconds["longformer"] / seconds["local"],
            at_least=None if bf16 else 3,
        ),
        row(
            f"… times dense SDPA without attention dropout, {precision}",
            seconds["dense"] / seconds["local"],
            at_least=2,
        ),
    ]


def growth(*, bf16: bool) -> dict[str, Any]:
    """Return the seconds per token of one long row over those of as many tokens in short rows."""
    steps = {
        str(length): training_step(bert(length, Local(WINDOW, 1)), length, bf16=bf16, rows=16384 // length)
        for length in (2048, 16384)
    }
    seconds = alternate(steps, rounds=5)
    return row("seconds per token at 16,384 over those at 2,048", seconds["16384"] / seconds["2048"], at_most=1.25)
