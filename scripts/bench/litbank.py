"""Quality on real documents: strict F1 on LitBank's validation novels after 240 seconds of training."""

import tempfile
from pathlib import Path
from typing import Any

from ctxlab.core.result import read
from scripts.bench.timing import ctxlab, row


def measure(data: Path) -> list[dict[str, Any]]:
    """Run the command of the README."""
    files = data / "ner_litbank"
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        ctxlab(
            "train", "task=ner", "model=minilm", "context=4096", "trainer.max_seconds=240",
            f"data.train_file={files / 'train.jsonl'}", f"data.validation_file={files / 'validation.jsonl'}",
            f"hydra.run.dir={run}",
        )  # fmt: skip
        result = read(run)
    return [
        row(
            "strict F1 on LitBank validation, minilm, 4,096, 240 s",
            result.metrics["validation"]["f1"],
            at_least=0.58,
        ),
        row("… padding share while training", result.cost.padding_share or 0.0, at_most=0.05),
        row("… training tokens/s", result.cost.tokens_per_second or 0.0),
    ]
