"""Progress display: a bar in a terminal, plain lines elsewhere."""

import math
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column

_SECONDS_BETWEEN_LINES = 5.0


_BAR_FROM = 100
"""Minimum width of a terminal, in columns, to show a bar beside the text."""


def console() -> Console:
    """Return a console on standard output, as wide as the terminal, else 80 columns; markup is off."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def say(screen: Console, text: str) -> None:
    """Print a sentence, wrapped in a terminal and in one line otherwise."""
    screen.print(text, soft_wrap=not screen.is_terminal)


class ProgressDisplay:
    """A context manager that shows the fraction done, current figures and time left of one piece of work."""

    def __init__(self, title: str) -> None:
        self._title, self._console = title, console()
        self._started, self._last_line = time.monotonic(), -math.inf
        self._first: tuple[float, float] | None = None
        self._bar: Progress | None = None
        if self._console.is_terminal:
            bar = [BarColumn(bar_width=20)] if self._console.width >= _BAR_FROM else []
            rest = Column(no_wrap=True, overflow="ellipsis", ratio=1)
            facts = TextColumn("{task.fields[facts]}", markup=False, table_column=rest)
            columns = (TextColumn("{task.description}"), *bar, TaskProgressColumn(), facts)
            self._bar = Progress(*columns, console=self._console, transient=False, expand=True)
            self._task = self._bar.add_task(title, total=1.0, facts="")

    def __enter__(self) -> "ProgressDisplay":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, share: float, facts: str = "", *, line: bool = False, left: str | None = None) -> None:
        """Show that ``share`` (0 to 1) is done; without a terminal, a line every five seconds or when ``line``.

        Args:
            share: Fraction of the work that is done.
            facts: Current figures.
            line: Whether to print a line at once.
            left: Time left, in words; None to estimate it from ``share``.
        """
        left = left or self._left(share)
        left = f"{facts} · {left}" if facts else left
        if self._bar is not None:
            self._bar.update(self._task, completed=share, facts=left)
            return
        now = time.monotonic()
        if line or share >= 1 or now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            self._console.print(f"{self._title} {share:4.0%} · {left}", soft_wrap=True)

    def _left(self, share: float) -> str:
        """Estimate the time left from the progress since the first update, without the start-up before it."""
        now = time.monotonic()
        if self._first is None:
            self._first = share, now
        first_share, first_time = self._first
        gained = share - first_share
        if gained <= 0 or share >= 1:
            return f"{clock(now - self._started)} spent"
        return f"{clock((now - first_time) * (1 - share) / gained)} left"


def clock(seconds: float) -> str:
    """Format seconds as ``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def gibibytes(number: float) -> str:
    """Format bytes as GiB."""
    return f"{number / 2**30:.2f} GiB"
