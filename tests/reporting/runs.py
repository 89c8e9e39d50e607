"""Run directories written by hand, without any training."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

LENGTHS = ("1–256", "257–512", "1,025–2,048")


def write_run(
    folder: Path,
    *,
    found: Sequence[int] = (6, 7, 8, 5),
    seed: int = 1,
    strategy: str = "chunk",
    context: int = 512,
    settings: Mapping[str, Any] | None = None,
    result: Mapping[str, Any] | None = None,
    scores: bool = True,
) -> Path:
    """Write a run that found so many of the 10 entities of each document, and predicted nothing else.

    Then its F1 is 2 Σ found / (Σ found + 10 N).
    """
    (folder / "scores").mkdir(parents=True)
    f1 = 2 * sum(found) / (sum(found) + 10 * len(found))
    rows = [{"words": name, "documents": 2, "f1": f1 / (index + 1), "low": 0.1, "high": 0.9}
            for index, name in enumerate(LENGTHS)]  # fmt: skip
    evidence = [{"words to the evidence": name, "mentions": 8, "accuracy": value, "low": value / 2, "high": 1.0}
                for name, value in (("1–32", 0.9), ("33–128", 0.3))]  # fmt: skip
    content = {
        "version": 1, "stage": "train", "task": "ner", "model": "minilm", "strategy": strategy,
        "context_length": context, "seed": seed, "checkpoint": "checkpoints/step-00000020", "primary_metric": "f1",
        "lower_is_better": False, "metrics": {"test": {"f1": f1}},
        "coverage": {"test": {"tokens": 0.75, "labels": 0.5}}, "command": ["ctxlab", "train", f"strategy={strategy}"],
        "cost": {"train_seconds": float(context), "train_tokens": 1000 * context, "train_steps": 20, "threads": 2,
                 "evaluation_seconds": context / 100, "evaluation_documents": len(found), "flops": 1e9 * context,
                 "peak_memory_bytes": 2**20 * context, "tokens_per_second": 1234.5, "parameters": 22_700_000},
        "versions": {"torch": "2.13.0"}, "breakdowns": {"test": {"by_length": rows, "by_evidence": evidence}},
        "chances": {"test": {"by_evidence": 0.25}}, "notes": [], **(result or {}),
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(content))
    config = {
        "stage": "train", "task": {"_target_": "ctxlab.tasks.ner.NER", "name": content["task"]},
        "model": {"_target_": "ctxlab.models.minilm.MiniLM", "name": "minilm"},
        "data": {"_target_": "ctxlab.data.sources.generated.Generated", "documents": 100},
        "context": {"length": context},
        "strategy": {"name": strategy, "reading": {"_target_": "ctxlab.strategies.reading.chunk.Chunk"}},
        "optimizer": {"_target_": "ctxlab.optim.optimizers.adamw.Adamw", "lr": 1e-3}, "seed": seed,
        "data_seed": "${seed}", "tracking": {"_target_": "x.y.Z", "name": "none"}, **(settings or {}),
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    points = [{"kind": "train", "step": step, "tokens": 1000 * step, "loss": 2.0 / step} for step in range(1, 21)]
    points += [{"kind": "validation", "step": step, "f1": step / 40} for step in (10, 20)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    lines = [{"id": f"d{index}", "group": f"d{index}",
              "statistics": {"entities": {"correct": one, "predicted": one, "gold": 10}}}
             for index, one in enumerate(found)]  # fmt: skip
    if scores:
        (folder / "scores" / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def write_verification(folder: Path, *, failed: Sequence[str] = ()) -> Path:
    """Write the result of ``ctxlab verify``."""
    folder.mkdir(parents=True)
    content = {
        "version": 1, "stage": "verify", "task": "ner", "model": "minilm", "strategy": "longformer",
        "context_length": 512, "seed": 1, "cost": {}, "passed": not failed, "failed": list(failed),
        "checks": {name: {"passed": name not in failed} for name in ("reach", "positions", "padding")},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(content))
    (folder / "config.yaml").write_text("stage: verify\nseed: 1\ntask: {name: ner}\n")
    return folder
