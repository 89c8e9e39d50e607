"""Running the cells of a comparison one at a time, each in a new process; finished cells are never repeated."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString

from ctxlab.comparison import cells
from ctxlab.comparison.plan import Cell, learning_rate
from ctxlab.core import run_state
from ctxlab.core.errors import Interrupted
from ctxlab.core.result import Result
from ctxlab.core.run_state import State
from ctxlab.training import checkpoint
from ctxlab.workbench.candidates import Candidate, CandidatesCommand
from ctxlab.workbench.cells import process
from ctxlab.workbench.comparing.budget import Budget

SLOWED = ".waited"
"""Suffix of the folder of a cell that was slowed down by other processes and was repeated."""


@dataclass(frozen=True, eq=False)
class CellPlan:
    """The cells of a comparison and how to run them."""

    folder: Path
    """Run directory of the comparison."""
    command: CandidatesCommand
    candidates: Mapping[str, Candidate]
    """Key → candidate."""
    cells: Sequence[Cell]
    """In the order in which they run."""
    budget: Budget
    num_folds: int | None
    first_seed: int
    num_threads: int

    def path(self, cell: Cell) -> Path:
        """Return the run directory of a cell."""
        return self.folder / cells.FOLDER / cell.name

    def words(self, cell: Cell) -> list[str]:
        """Return the arguments of the command of a cell, after ``ctxlab``."""
        candidate = self.candidates[cell.candidate]
        assert candidate.parts is not None
        place = QuotedString(str(self.path(cell)), Quote.single).with_quotes()
        if run_state.state(self.path(cell)) is State.STARTED:
            return ["train", *self.command.flags, f"resume={place}"]
        own = [f"seed={cell.seed}", f"data_seed={candidate.parts.data_seed}", self.budget.word]
        if cell.trial is not None:
            own.append(f"optimizer.lr={learning_rate(candidate.parts.optimizer.lr, cell.trial)}")
        if self.num_folds is not None:
            own += [f"folds={self.num_folds}", f"fold={(cell.seed - self.first_seed) % self.num_folds}"]
        shared = [word for word in self.command.shared if word.split("=")[0] not in ("seed", "data_seed")]
        return ["train", *self.command.flags, *shared, *candidate.words, *own, f"hydra.run.dir={place}"]


@dataclass
class Progress:
    """Progress of a comparison."""

    seconds: Mapping[str, float]
    """Key of a candidate → estimated seconds of one of its cells."""
    done: list[Cell] = field(default_factory=list)
    failed: list[Cell] = field(default_factory=list)
    running: Cell | None = None
    to_come: list[Cell] = field(default_factory=list)
    again: bool = False
    """Whether the running cell is repeated, because other processes slowed it down."""
    started: float = 0.0
    """Start of the running cell, on the monotonic clock."""
    spent: dict[str, list[float]] = field(default_factory=dict)
    """Key of a candidate → measured seconds of its cells."""

    def expected(self, cell: Cell) -> float:
        """Return the seconds of a cell: measured for its candidate, else estimated and corrected by other cells."""
        own = self.spent.get(cell.candidate)
        if own:
            return sum(own) / len(own)
        measured = sum(sum(values) for values in self.spent.values())
        estimated = sum(self.seconds[key] * len(values) for key, values in self.spent.items())
        return self.seconds[cell.candidate] * (measured / estimated if estimated else 1.0)

    @property
    def left(self) -> float:
        """Estimated seconds until the end."""
        now = max(self.expected(self.running) - (time.monotonic() - self.started), 0.0) if self.running else 0.0
        return now + sum(map(self.expected, self.to_come))


def run(
    plan: CellPlan, progress: Progress, show: Callable[[Progress], None], skip: Callable[[Cell, Result | None], bool]
) -> None:
    """Run every missing cell; with a budget of seconds, repeat once those that were slowed down.

    Args:
        plan: The cells and how to run them.
        progress: Is updated as cells run.
        show: Called whenever the progress changes, and several times a second.
        skip: Decides whether a cell is skipped; called before a cell, and with its result after it.

    Raises:
        Interrupted: A signal was received; finished cells are kept.
    """
    progress.to_come = list(plan.cells)
    for cell in plan.cells:
        progress.to_come.remove(cell)
        if not skip(cell, None):
            _run(plan, cell, progress, show)
            _record_outcome(plan, cell, progress, skip)
    if plan.budget.is_time:
        again = [cell for cell in plan.cells if cell in progress.done and _had_to_wait(plan, cell)]
        progress.to_come, progress.again = list(again), True
        for cell in again:
            progress.to_come.remove(cell)
            plan.path(cell).rename(plan.path(cell).with_name(cell.name + SLOWED))
            progress.done.remove(cell)
            _run(plan, cell, progress, show)
            _record_outcome(plan, cell, progress, skip)
    show(progress)


def _run(plan: CellPlan, cell: Cell, progress: Progress, show: Callable[[Progress], None]) -> None:
    path = plan.path(cell)
    progress.running, progress.started = cell, time.monotonic()
    while run_state.is_locked(path) and run_state.state(path) is not State.DONE:
        show(progress)  # a process of an earlier, killed comparison is still working on it
        time.sleep(process.POLL_SECONDS)
    if run_state.state(path) is not State.DONE:
        path.parent.mkdir(exist_ok=True)
        log = plan.folder / cells.LOGS / f"{cell.name}.log"
        process.run(plan.words(cell), log, process.environment(plan.num_threads), lambda: show(progress))
        progress.spent.setdefault(cell.candidate, []).append(time.monotonic() - progress.started)
    progress.running = None


def _record_outcome(
    plan: CellPlan, cell: Cell, progress: Progress, skip: Callable[[Cell, Result | None], bool]
) -> None:
    """Record whether a cell succeeded, and remove the checkpoints of a finished one that are not needed."""
    outcome = run_state.outcome(plan.path(cell))
    if isinstance(outcome, Result):
        checkpoint.reduce_to_best(plan.path(cell))
        progress.done.append(cell)
        skip(cell, outcome)
    else:
        progress.failed.append(cell)


def _had_to_wait(plan: CellPlan, cell: Cell) -> bool:
    """Return whether other processes slowed the cell down and it has not been repeated yet."""
    outcome = run_state.outcome(plan.path(cell))
    share = cells.cpu_share(outcome) if isinstance(outcome, Result) else None
    again = plan.path(cell).with_name(cell.name + SLOWED).exists()
    return share is not None and share < cells.LOW_SHARE and not again


def interrupted(stop: Interrupted, plan: CellPlan, progress: Progress) -> Interrupted:
    """Return an ``Interrupted`` whose message says how to continue."""
    return Interrupted(
        stop.signal_number,
        f"Stopped with {len(progress.done)} of {len(plan.cells)} cells done; continue with "
        f"`ctxlab compare resume={plan.folder}`.",
    )
