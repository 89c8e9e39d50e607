"""Figures kept of each run in ``docs/results/<job>.json``, so that the page can be rebuilt without running all jobs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctxlab.core.result import Result

SPLIT = "validation"

EXPANDED, PERCENTILE = "expanded percentile", "percentile"
"""Bootstrap intervals: that of ``ctxlab.evaluation.statistics``, and the plain one, too narrow for few documents."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one job."""

    machine: Mapping[str, Any]
    model: str
    context_length: int
    scores: Mapping[str, float | None]
    """Metric → its value on the validation split."""
    interval: Sequence[float] | None
    """95 % interval over documents of the first metric that is shown."""
    share_read: float
    """Fraction of the documents' tokens that was read."""
    tokens: int
    """Tokens of training, or of evaluation if nothing is trained."""
    seconds: float
    """Seconds of training, or of evaluation if nothing is trained."""
    peak_memory_bytes: int
    baselines: Mapping[str, Mapping[str, float]]
    """Baseline → its scores by metric."""
    interval_method: str = EXPANDED
    """``PERCENTILE`` for intervals of earlier runs, whose predictions were not kept to compute the expanded one."""

    @classmethod
    def of(
        cls, result: Result, machine: Mapping[str, Any], metrics: Sequence[str], baselines: Sequence[str]
    ) -> "Figures":
        """Extract them from a run's result.

        Args:
            result: A result with the split ``validation``.
            machine: The machine that it ran on.
            metrics: Metrics to keep.
            baselines: Rows of the first table of the split to keep as baselines.
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
            baselines={
                _label(row): {name: row[name] for name in (*metrics, "value") if name in row}
                for row in table
                if _label(row) in baselines
            },
        )

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Figures":
        """Read what ``save`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def _first_table(result: Result) -> Sequence[Mapping[str, Any]]:
    return next(iter(result.breakdowns[SPLIT].values()), ())


def _label(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values())))


def _interval(metric: str, table: Sequence[Mapping[str, Any]]) -> list[float] | None:
    """Return the interval in the first row that has one for this metric."""
    for row in table:
        about = _label(row).replace("@", "_at_").replace(" ", "_")
        if (about == metric or metric in row) and row.get("low") is not None:
            return [row["low"], row["high"]]
    return None
