"""What a check says: what it proves, whether it holds, and by how much it does not."""

from dataclasses import dataclass

from ctxlab.core.types import Table

TOLERANCE = 1e-6
"""Largest difference, relative to the size of the states, between numbers that should be the same."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table."""

    name: str
    proves: str
    """In one sentence."""
    passed: bool | None
    """None where the strategy has nothing of the kind."""
    deviation: float | None
    """Largest one found; None where it cannot be one number."""
    detail: str
    """What was looked at, or what is wrong and where."""

    @property
    def verdict(self) -> str:
        """For people."""
        return {True: "holds", False: "FAILS", None: "nothing to prove"}[self.passed]


def within(name: str, proves: str, deviation: float, detail: str, tolerance: float = TOLERANCE) -> Check:
    """A check that holds while ``deviation`` is at most ``tolerance``."""
    return Check(name, proves, deviation <= tolerance, deviation, detail)


def table(checks: list[Check], title: str) -> Table:
    """All checks for a terminal or a page."""
    rows = [(check.name, check.verdict, scientific(check.deviation), check.proves, check.detail) for check in checks]
    return Table("checks", title, ("check", "verdict", "largest deviation", "what it proves", "found"), rows)


def scientific(value: float | None) -> str:
    """A deviation, which may be as small as rounding."""
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:.1e}"
