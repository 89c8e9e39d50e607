"""Surges of counts with a weekly rhythm: more documents of a group than on the same day of the weeks before."""

from collections.abc import Sequence
from datetime import date

from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import State
from ctxlab.monitoring.surge.poisson import Poisson

WEEK = 7


class Weekly(Poisson):
    """As ``Poisson``, with a rate of its own for each day of the week, so that a busy Monday is no surge.

    The count of a Monday is compared with those of the last ``history_weeks`` Mondays of the group. A rate is then
    known from few days, which the negative binomial takes into account: limits are higher than those of ``Poisson``.
    """

    def __init__(self, days_per_false_alarm: float, history_weeks: int, least_weeks: int) -> None:
        """Store the options.

        Args:
            days_per_false_alarm: Mean number of days between alarms, of all groups together, where every weekday has
                its constant rate.
            history_weeks: Weeks before that say what is usual.
            least_weeks: Weeks that must have passed before any alarm.

        Raises:
            UserError: Alarms would be more frequent than days, or nothing is ever known.
        """
        if days_per_false_alarm <= 1 or not 1 <= least_weeks <= history_weeks:
            raise UserError(
                f"surge.days_per_false_alarm={days_per_false_alarm:g}, surge.least_weeks={least_weeks} and "
                f"surge.history_weeks={history_weeks}: give more than 1 day between false alarms, and at least 1 and "
                "at most history_weeks as least_weeks."
            )
        super().__init__(days_per_false_alarm, history_weeks, least_weeks)
        self._longest = WEEK * least_weeks
        self._remembered = WEEK * (history_weeks + least_weeks)

    @property
    def promise(self) -> str:
        """Return how often it rings without a reason."""
        return (
            "Where the rates of all groups are constant for each day of the week, surge=weekly rings at most once in "
            f"{self._days:,.0f} days on average."
        )

    def _new(self, num_days: int) -> State:
        before = [[0] * min(num_days // WEEK, self._history) for _ in range(WEEK)]
        return {"weekdays": before, "today": 0, "rings": False, "surge": 0}

    def _usual(self, group: State, day: int) -> list[int]:
        counts: list[int] = group["weekdays"][day % WEEK]
        return counts

    def _said(self, usual: Sequence[int], day: int) -> str:
        name = date.fromordinal(day).strftime("%A")
        return f"{sum(usual) / len(usual):.1f} on the {len(usual)} usual {name}s before"
