"""Screen output of a sweep while it runs."""

from types import TracebackType

from ctxlab.tracking.console import ProgressDisplay, clock, console
from ctxlab.workbench.sweeping.progress import Progress
from ctxlab.workbench.sweeping.session import Session


class Display:
    """A context manager that shows how many trials are done and running, the best so far, and the time left."""

    def __init__(self, session: Session) -> None:
        self._figure = session.objectives[0].name
        self._bar = ProgressDisplay("sweep")
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
        """Show the progress; without a terminal, print a line whenever it changes."""
        facts = self.facts(progress)
        if self._is_terminal or facts != self._last:
            self._last = facts
            share = progress.num_told / max(progress.num_trials, 1)
            left = None if progress.seconds_left is None else f"{clock(progress.seconds_left)} left"
            self._bar.update(share, facts, line=True, left=left)

    def facts(self, progress: Progress) -> str:
        """Return ``3 done, running trials 3 and 4, 13 to come, best f1 0.512 (trial 2)``."""
        counts = [f"{progress.num_finished} done"]
        counts += [f"{progress.num_pruned} cut short"] if progress.num_pruned else []
        counts += [f"{progress.num_failed} without a result"] if progress.num_failed else []
        if progress.running:
            counts.append(f"running trial {' and '.join(map(str, progress.running))}")
        if progress.num_elsewhere > 0:
            counts.append(f"{progress.num_elsewhere} by other commands")
        to_come = progress.num_trials - progress.num_told - len(progress.running) - max(progress.num_elsewhere, 0)
        counts.append(f"{max(to_come, 0)} to come")
        if progress.best is not None:
            counts.append(f"best {self._figure} {progress.best[1]:.4g} (trial {progress.best[0]})")
        return ", ".join(counts)
