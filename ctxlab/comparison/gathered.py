"""What the cells of each candidate came to, read from their run directories."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ctxlab.comparison import cells
from ctxlab.comparison.plan import Cell
from ctxlab.comparison.records import Run
from ctxlab.core.result import Result
from ctxlab.evaluation import scores
from ctxlab.evaluation.statistics import Counts

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Ran:
    """A candidate all of whose cells are done, seed by seed."""

    key: str
    title: str
    results: Sequence[Result]
    """Of each seed; where several learning rates were tried, of the best on the documents that select."""
    folders: Sequence[Path]
    """Run directories of these."""

    @property
    def split(self) -> str:
        """The split that is reported: documents that chose nothing, where there are some."""
        return "test" if "test" in self.results[0].metrics else "validation"

    def scores(self) -> list[Run]:
        """Of each seed what every document adds to the figures; raises UserError where a file is damaged."""
        return [scores.read(folder / scores.FOLDER / f"{self.split}.jsonl") for folder in self.folders]

    def training_seconds(self) -> Counts:
        """(S,)"""
        return self._cost("train_seconds")

    def milliseconds_per_document(self) -> Counts:
        """(S,) of reading and scoring a document."""
        return MILLISECONDS * self._cost("evaluation_seconds") / np.maximum(self._cost("evaluation_documents"), 1)

    def memory_bytes(self) -> Counts:
        """(S,) the highest while training."""
        return self._cost("peak_memory_bytes")

    def flops(self) -> Counts:
        """(S,) of training."""
        return self._cost("flops")

    def costs(self) -> dict[str, Counts]:
        """What quality is held against, by name."""
        return {
            "training seconds": self.training_seconds(),
            "inference ms per document": self.milliseconds_per_document(),
            "peak memory": self.memory_bytes(),
            "FLOPs": self.flops(),
        }

    def _cost(self, name: str) -> Counts:
        return np.asarray([getattr(result.cost, name) or 0.0 for result in self.results], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate of which a cell has no result."""

    key: str
    title: str
    reasons: dict[str, str] = field(default_factory=dict)
    """By the name of the cell."""

    @property
    def sentence(self) -> str:
        """Why, once for each reason."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.reasons.items():
            by_reason.setdefault(reason, []).append(name)
        return " ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())


def gather(folder: Path, key: str, title: str, plan: Sequence[Cell]) -> Ran | Failed:
    """A candidate's results out of the directory of a comparison.

    Args:
        folder: Of the comparison.
        key: Of the candidate.
        title: Of it, for people.
        plan: All cells of the comparison.
    """
    own = [cell for cell in plan if cell.candidate == key]
    found = {cell: cells.outcome(folder / cells.FOLDER / cell.name) for cell in own}
    failed = {cell.name: outcome for cell, outcome in found.items() if isinstance(outcome, str)}
    if failed:
        return Failed(key, title, failed)
    done = {cell: outcome for cell, outcome in found.items() if isinstance(outcome, Result)}
    chosen = [_best([cell for cell in done if cell.seed == seed], done) for seed in sorted({c.seed for c in done})]
    return Ran(key, title, [done[cell] for cell in chosen], [folder / cells.FOLDER / cell.name for cell in chosen])


def _best(trials: Sequence[Cell], results: dict[Cell, Result]) -> Cell:
    """The trial with the best figure on the documents that select, the first of equal ones."""

    def figure(cell: Cell) -> float:
        value = results[cell].primary("validation")
        return float("-inf") if value is None else -value if results[cell].lower_is_better else value

    return max(sorted(trials, key=lambda cell: cell.trial or 0), key=figure)
