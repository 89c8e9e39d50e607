"""The cells of a comparison, one at a time, each in a fresh process; what is done is never done again."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString

from ctxlab.comparison import cells
from ctxlab.comparison.cells import State
from ctxlab.comparison.plan import Cell, learning_rate
from ctxlab.core.errors import Interrupted
from ctxlab.core.result import Result
from ctxlab.training import checkpoint
from ctxlab.workbench.comparing import process
from ctxlab.workbench.comparing.budget import Budget
from ctxlab.workbench.comparing.candidates import Asked, Candidate

WAITED = ".waited"
"""End of the name under which a cell is kept that had to wait for other processes, and was run again."""


@dataclass(frozen=True, eq=False)
class Cells:
    """What all cells are made of."""

    folder: Path
    """Run directory of the comparison."""
    asked: Asked
    candidates: Mapping[str, Candidate]
    """By key."""
    plan: Sequence[Cell]
    """In their order."""
    budget: Budget
    num_folds: int | None
    first_seed: int
    num_threads: int

    def path(self, cell: Cell) -> Path:
        """Its run directory."""
        return self.folder / cells.FOLDER / cell.name

    def words(self, cell: Cell) -> list[str]:
        """The command of a cell, after ``ctxlab``."""
        candidate = self.candidates[cell.candidate]
        assert candidate.parts is not None
        place = QuotedString(str(self.path(cell)), Quote.single).with_quotes()
        if cells.state(self.path(cell)) is State.BEGUN:
            return ["train", *self.asked.flags, f"resume={place}"]
        own = [f"seed={cell.seed}", f"data_seed={candidate.parts.data_seed}", self.budget.word]
        if cell.trial is not None:
            own.append(f"optimizer.lr={learning_rate(candidate.parts.optimizer.lr, cell.trial)}")
        if self.num_folds is not None:
            own += [f"folds={self.num_folds}", f"fold={(cell.seed - self.first_seed) % self.num_folds}"]
        shared = [word for word in self.asked.shared if word.split("=")[0] not in ("seed", "data_seed")]
        return ["train", *self.asked.flags, *shared, *candidate.words, *own, f"hydra.run.dir={place}"]


@dataclass
class Progress:
    """How far a comparison is."""

    seconds: Mapping[str, float]
    """Of a cell of each candidate, estimated."""
    done: list[Cell] = field(default_factory=list)
    failed: list[Cell] = field(default_factory=list)
    running: Cell | None = None
    to_come: list[Cell] = field(default_factory=list)
    again: bool = False
    """Whether what runs had to wait for other processes before."""
    started: float = 0.0
    """Of the cell that is running, on the monotonic clock."""
    spent: dict[str, list[float]] = field(default_factory=dict)
    """Measured seconds of each candidate's cells."""

    def expected(self, cell: Cell) -> float:
        """Seconds of a cell: as measured of its candidate, else as estimated, corrected by what others took."""
        own = self.spent.get(cell.candidate)
        if own:
            return sum(own) / len(own)
        measured = sum(sum(values) for values in self.spent.values())
        estimated = sum(self.seconds[key] * len(values) for key, values in self.spent.items())
        return self.seconds[cell.candidate] * (measured / estimated if estimated else 1.0)

    @property
    def left(self) -> float:
        """Seconds until the end."""
        now = max(self.expected(self.running) - (time.monotonic() - self.started), 0.0) if self.running else 0.0
        return now + sum(map(self.expected, self.to_come))


def run(
    made: Cells, progress: Progress, show: Callable[[Progress], None], skip: Callable[[Cell, Result | None], bool]
) -> None:
    """Every cell that is missing; under a budget of seconds those that had to wait once more.

    Args:
        made: The cells.
        progress: Where they stand, kept up to date.
        show: Called whenever that changes, and several times a second.
        skip: Whether a cell is left out, for what became known since; given its result where it has one.

    Raises:
        Interrupted: A signal came; what is done is kept.
    """
    progress.to_come = list(made.plan)
    for cell in made.plan:
        progress.to_come.remove(cell)
        if not skip(cell, None):
            _run(made, cell, progress, show)
            _settle(made, cell, progress, skip)
    if made.budget.is_time:
        again = [cell for cell in made.plan if cell in progress.done and _had_to_wait(made, cell)]
        progress.to_come, progress.again = list(again), True
        for cell in again:
            progress.to_come.remove(cell)
            made.path(cell).rename(made.path(cell).with_name(cell.name + WAITED))
            progress.done.remove(cell)
            _run(made, cell, progress, show)
            _settle(made, cell, progress, skip)
    show(progress)


def _run(made: Cells, cell: Cell, progress: Progress, show: Callable[[Progress], None]) -> None:
    path = made.path(cell)
    progress.running, progress.started = cell, time.monotonic()
    while cells.is_held(path) and cells.state(path) is not State.DONE:
        show(progress)  # the process of a comparison that was killed still works on it
        time.sleep(process.POLL_SECONDS)
    if cells.state(path) is not State.DONE:
        path.parent.mkdir(exist_ok=True)
        log = made.folder / cells.LOGS / f"{cell.name}.log"
        process.run(made.words(cell), log, process.environment(made.num_threads), lambda: show(progress))
        progress.spent.setdefault(cell.candidate, []).append(time.monotonic() - progress.started)
    progress.running = None


def _settle(made: Cells, cell: Cell, progress: Progress, skip: Callable[[Cell, Result | None], bool]) -> None:
    """Keep of a finished cell what is needed, and look at what it came to."""
    outcome = cells.outcome(made.path(cell))
    if isinstance(outcome, Result):
        checkpoint.keep_best(made.path(cell))
        progress.done.append(cell)
        skip(cell, outcome)
    else:
        progress.failed.append(cell)


def _had_to_wait(made: Cells, cell: Cell) -> bool:
    """Whether other processes took its time, and it was not run again yet."""
    outcome = cells.outcome(made.path(cell))
    share = cells.cpu_share(outcome) if isinstance(outcome, Result) else None
    again = made.path(cell).with_name(cell.name + WAITED).exists()
    return share is not None and share < cells.LOW_SHARE and not again


def interrupted(stop: Interrupted, made: Cells, progress: Progress) -> Interrupted:
    """The same with how to go on."""
    return Interrupted(
        stop.signal_number,
        f"Stopped with {len(progress.done)} of {len(made.plan)} cells done; go on with "
        f"`ctxlab compare resume={made.folder}`.",
    )
