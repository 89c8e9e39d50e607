"""Screen output of a comparison before and while it runs."""

from collections.abc import Sequence
from types import TracebackType

from ctxlab.comparison.profile import Profile
from ctxlab.reporting.tables import show
from ctxlab.tracking.console import ProgressDisplay, clock, console
from ctxlab.workbench.comparing.candidate_checks import CheckedCandidate
from ctxlab.workbench.comparing.running import CellPlan, Progress


def announce(found: Profile, checked: Sequence[CheckedCandidate], plan: CellPlan, progress: Progress) -> None:
    """Print documents, candidates, budget, and the estimated time of all cells.

    Args:
        found: Lengths of the documents.
        checked: Every candidate.
        plan: The cells and how to run them.
        progress: Has the estimated seconds of a cell of each candidate.
    """
    screen = console()
    screen.print(found.sentence, soft_wrap=True)
    show(screen, found.table)
    for one in checked:
        if one.refused:
            screen.print(f"{one.candidate.title}: not applicable: {one.refused}", soft_wrap=True)
        elif one.same_as:
            screen.print(f"{one.candidate.title}: the same computation as {one.same_as}, run once.", soft_wrap=True)
    total = sum(progress.seconds[cell.candidate] for cell in plan.cells)
    threads = "1 thread" if plan.num_threads == 1 else f"{plan.num_threads} threads"
    screen.print(
        f"{len(plan.cells)} cells, one at a time on {threads}; {plan.budget.sentence}. All of them take about "
        f"{clock(total)}, and are kept in {plan.folder}",
        soft_wrap=True,
    )


class Display:
    """A context manager that shows how many cells are done, running and to come, and the time left."""

    def __init__(self, plan: CellPlan) -> None:
        self._plan = plan
        self._bar = ProgressDisplay("compare")
        self._is_terminal = console().is_terminal
        self._last = ""

    def __enter__(self) -> "Display":
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def update(self, progress: Progress) -> None:
        """Show the progress; without a terminal, print a line whenever a cell starts."""
        facts = self._facts(progress)
        if self._is_terminal or facts != self._last:
            self._last = facts
            share = 1 - (len(progress.to_come) + bool(progress.running)) / max(len(self._plan.cells), 1)
            self._bar.update(share, facts, line=True, left=f"{clock(progress.left)} left" if progress.left else None)

    def _facts(self, progress: Progress) -> str:
        failed = f", {len(progress.failed)} failed" if progress.failed else ""
        again = " again, as other processes slowed it down" if progress.again else ""
        running = f", running {progress.running.name}{again}" if progress.running else ""
        return f"{len(progress.done)} done{failed}{running}, {len(progress.to_come)} to come"
