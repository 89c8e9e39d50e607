"""The result of a check: what it shows, whether it holds, and the largest deviation."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlab.core.types import Table

TOLERANCE = 1e-6
"""Largest difference, relative to the size of the states, between numbers that should be the same."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, a row of the table."""

    name: str
    proves: str
    """What the check shows, in one sentence."""
    passed: bool | None
    """None where the check does not apply to the strategy."""
    detail: str
    """What was compared, or what is wrong and where."""
    deviation: float | None = None
    """Largest deviation found; None where it is not a single number."""

    @property
    def verdict(self) -> str:
        """Return the result as a word, for the table."""
        return {True: "holds", False: "FAILS", None: "not applicable"}[self.passed]


def within(name: str, proves: str, deviation: float, detail: str, tolerance: float = TOLERANCE) -> Check:
    """Return a check that passes if ``deviation`` is at most ``tolerance``.

    Args:
        name: Name of the check.
        proves: What it shows, in one sentence.
        deviation: Largest deviation found.
        detail: What was compared.
        tolerance: Largest deviation that passes.
    """
    return Check(name, proves, deviation <= tolerance, detail, deviation=deviation)


def failures(checks: Sequence[Check]) -> list[str]:
    """Return the names of the checks that failed."""
    return [check.name for check in checks if check.passed is False]


def table(checks: list[Check], title: str) -> Table:
    """Return a table of all checks, for the terminal and the report."""
    rows = [(check.name, check.verdict, scientific(check.deviation), check.proves, check.detail) for check in checks]
    return Table("checks", title, ("check", "verdict", "largest deviation", "what it shows", "found"), rows)


def scientific(value: float | None) -> str:
    """Format a deviation in scientific notation."""
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:.1e}"
