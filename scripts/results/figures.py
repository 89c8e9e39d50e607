"""What is kept of each run: ``docs/results/<job>.json``, in the repository, so that one job can be run anew."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.result import Result

SPLIT = "validation"

EXPANDED, PERCENTILE = "expanded percentile", "percentile"
"""Bootstrap intervals: see ``ctxlab.evaluation.statistics``, and its plain form, too narrow for few documents."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one job."""

    machine: Mapping[str, Any]
    model: str
    context_length: int
    scores: Mapping[str, float | None]
    """By metric, of the validation split."""
    interval: Sequence[float] | None
    """Of the first metric that is shown: 95 %, over documents."""
    share_read: float
    """Of the tokens of the documents."""
    tokens: int
    """Of training, or of scoring where nothing is trained."""
    seconds: float
    """Likewise."""
    peak_memory_bytes: int
    beside: Mapping[str, Mapping[str, float]]
    """Baselines: scores by name, by what they are of."""
    interval_method: str = EXPANDED
    """``PERCENTILE`` for an interval that was taken before the expanded one was there, and cannot be taken anew."""

    @classmethod
    def of(cls, result: Result, machine: Mapping[str, Any], metrics: Sequence[str], beside: Sequence[str]) -> "Figures":
        """Out of a run's result.

        Args:
            result: With the split ``validation``.
            machine: That it ran on.
            metrics: To keep.
            beside: Rows of the first table of the split to keep as baselines.
        """
        cost, table = result.cost, _first_table(result)
        return cls(
            machine=machine,
            model=result.model,
            context_length=result.context_length,
            scores={name: result.metrics[SPLIT].get(name) for name in metrics},
            interval=_interval(metrics[0], table),
            share_read=result.coverage[SPLIT].tokens,
            tokens=cost.train_tokens or cost.evaluation_tokens or 0,
            seconds=cost.train_seconds or cost.evaluation_seconds or 0.0,
            peak_memory_bytes=cost.peak_memory_bytes or 0,
            beside={
                _label(row): {name: row[name] for name in (*metrics, "value") if name in row}
                for row in table
                if _label(row) in beside
            },
        )

    def save(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Figures":
        """What ``save`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def _first_table(result: Result) -> Sequence[Mapping[str, Any]]:
    return next(iter(result.breakdowns[SPLIT].values()), ())


def _label(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values())))


def _interval(metric: str, table: Sequence[Mapping[str, Any]]) -> list[float] | None:
    """Of the first row that has one for this metric."""
    for row in table:
        about = _label(row).replace("@", "_at_").replace(" ", "_")
        if (about == metric or metric in row) and row.get("low") is not None:
            return [row["low"], row["high"]]
    return None
