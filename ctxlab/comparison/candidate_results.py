"""Results of each candidate's cells, read from their run directories."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ctxlab.comparison import cells
from ctxlab.comparison.plan import Cell
from ctxlab.comparison.records import Run
from ctxlab.core import run_state
from ctxlab.core.result import Result
from ctxlab.evaluation import scores
from ctxlab.evaluation.statistics import Counts

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class CandidateResults:
    """Results of a candidate that has completed all of its cells, by seed."""

    key: str
    title: str
    results: Sequence[Result]
    """Result of each seed; if several learning rates were tried, of the best one on the selection documents."""
    folders: Sequence[Path]
    """Run directories of the results."""

    @property
    def split(self) -> str:
        """The reported split: ``test`` if there is one, as it is not used for selection, else ``validation``."""
        return "test" if "test" in self.results[0].metrics else "validation"

    def scores(self) -> list[Run]:
        """Read the sufficient statistics of every document for each seed; raises UserError if a file is damaged."""
        return [scores.read(folder / scores.FOLDER / f"{self.split}.jsonl") for folder in self.folders]

    def training_seconds(self) -> Counts:
        """Return (S,) seconds of training."""
        return self._cost("train_seconds")

    def milliseconds_per_document(self) -> Counts:
        """Return (S,) milliseconds of reading and scoring a document."""
        return MILLISECONDS * self._cost("evaluation_seconds") / np.maximum(self._cost("evaluation_documents"), 1)

    def memory_bytes(self) -> Counts:
        """Return (S,) peak memory of training."""
        return self._cost("peak_memory_bytes")

    def flops(self) -> Counts:
        """Return (S,) FLOPs of training."""
        return self._cost("flops")

    def costs(self) -> dict[str, Counts]:
        """Return all costs that are compared with quality, by name."""
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
    """A candidate with a cell that has no result."""

    key: str
    title: str
    reasons: dict[str, str] = field(default_factory=dict)
    """Name of a cell → why it has no result."""

    @property
    def sentence(self) -> str:
        """The reasons, each named once."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.reasons.items():
            by_reason.setdefault(reason, []).append(name)
        return " ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())


def collect_results(folder: Path, key: str, title: str, plan: Sequence[Cell]) -> CandidateResults | Failed:
    """Collect a candidate's results from the directory of a comparison.

    Args:
        folder: Run directory of the comparison.
        key: Key of the candidate.
        title: Its name for display.
        plan: All cells of the comparison.
    """
    own = [cell for cell in plan if cell.candidate == key]
    found = {cell: run_state.outcome(folder / cells.FOLDER / cell.name) for cell in own}
    failed = {cell.name: outcome for cell, outcome in found.items() if isinstance(outcome, str)}
    if failed:
        return Failed(key, title, failed)
    done = {cell: outcome for cell, outcome in found.items() if isinstance(outcome, Result)}
    chosen = [_best([cell for cell in done if cell.seed == seed], done) for seed in sorted({c.seed for c in done})]
    return CandidateResults(
        key, title, [done[cell] for cell in chosen], [folder / cells.FOLDER / cell.name for cell in chosen]
    )


def _best(trials: Sequence[Cell], results: dict[Cell, Result]) -> Cell:
    """Return the trial with the best figure on the selection documents, the first of equal ones."""

    def figure(cell: Cell) -> float:
        value = results[cell].primary("validation")
        return float("-inf") if value is None else -value if results[cell].lower_is_better else value

    return max(sorted(trials, key=lambda cell: cell.trial or 0), key=figure)
