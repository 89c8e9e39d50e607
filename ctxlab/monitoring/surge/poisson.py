"""Surges: more documents of a group on a day than its days before let expect."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from scipy.stats import nbinom

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import Alarm, Detector, Reference, Seen, State

CALM = 0.1
"""A surge is over on a day whose count is exceeded with at least this probability."""

PRIOR = 0.5
"""Shape of the prior of a rate (Jeffreys)."""


class Poisson(Detector):
    """The count of a group on a day beside those of its last days, as Poisson counts of an unknown constant rate.

    The rate is known from ``history_days`` days only: with Jeffreys' prior the count of the next day is negative
    binomial, and the alarm rings as soon as a day has more documents than its quantile, even if the day is not over. A
    surge of several days rings once: its days are not taken for usual ones, and it lasts until a day is below the
    ``CALM`` quantile, or ``least_days`` long, after which it is what is usual. Not for counts with a weekly rhythm:
    the busy day of every week would ring; see ``Weekly``.
    """

    needs_groups = True

    def __init__(self, days_per_false_alarm: float, history_days: int, least_days: int) -> None:
        """Store the options.

        Args:
            days_per_false_alarm: Mean number of days between alarms, of all groups together, where rates are constant.
            history_days: Days before that say what is usual.
            least_days: Days that must have passed before any alarm.

        Raises:
            UserError: Alarms would be more frequent than days, or nothing is ever known.
        """
        if days_per_false_alarm <= 1 or not 1 <= least_days <= history_days:
            raise UserError(
                f"surge.days_per_false_alarm={days_per_false_alarm:g}, surge.least_days={least_days} and "
                f"surge.history_days={history_days}: give more than 1 day between false alarms, and at least 1 and at "
                "most history_days as least_days."
            )
        self._days, self._history, self._least = days_per_false_alarm, history_days, least_days
        self._longest = least_days
        """Days after which a surge is what is usual."""
        self._remembered = history_days + least_days
        """Days after which nothing is left of what was before."""

    @property
    def promise(self) -> str:
        """Return how often it rings without a reason."""
        return (
            f"Where the rates of all groups are constant, surge=poisson rings at most once in {self._days:,.0f} days "
            "on average."
        )

    def step(self, state: State, seen: Seen, reference: Reference | None) -> list[Alarm]:
        """Count a document; its day may be that of the last one or a later one."""
        del reference
        assert seen.day is not None
        today = seen.day.toordinal()
        groups = state.setdefault("groups", {})
        before = state.setdefault("day", today)
        closed = [before, *range(max(before + 1, today - self._remembered + 1), today)] if before < today else []
        for day in closed:
            self._close(groups, day)
        state["num_days"] = state.get("num_days", 0) + today - state["day"]
        state["day"] = today
        group = groups.setdefault(str(seen.group), self._new(state["num_days"]))
        group["today"] += 1
        return self._rings(state, group, seen)

    def _new(self, num_days: int) -> State:
        """Return the state of a group that is met for the first time: it had no document on the days before."""
        return {"days": [0] * min(num_days, self._history), "today": 0, "rings": False, "surge": 0}

    def _usual(self, group: State, day: int) -> list[int]:
        """Return the counts that the one of a day (its ordinal number) is compared with."""
        del day
        days: list[int] = group["days"]
        return days

    def _close(self, groups: dict[str, State], day: int) -> None:
        """End the day of all groups."""
        for group in groups.values():
            usual = self._usual(group, day)
            if group["rings"] or group["surge"]:
                group["surge"] += 1
                calm = usual_limit(sum(usual), max(len(usual), 1), CALM)
                if group["surge"] > self._longest or (not group["rings"] and group["today"] <= calm):
                    group["surge"] = 0
            if not group["surge"]:
                usual[:] = [*usual, group["today"]][-self._history :]
            group |= {"today": 0, "rings": False}

    def _rings(self, state: State, group: State, seen: Seen) -> list[Alarm]:
        usual = self._usual(group, state["day"])
        days = len(usual)
        if days < self._least:
            return []
        limit = usual_limit(sum(usual), days, 1 / (self._days * len(state["groups"])))
        if group["today"] <= limit:
            return []
        is_new = not group["surge"] and not group["rings"]
        group["rings"] = True
        if not is_new:
            return []
        sentence = (
            f"'{seen.group}' has {group['today']} documents on {date.fromordinal(state['day'])}, "
            f"{self._said(usual, state['day'])}."
        )
        return [
            Alarm(
                rule=option(self),
                subject=str(seen.group),
                document=seen.id,
                number=seen.number,
                day=date.fromordinal(state["day"]).isoformat(),
                value=float(group["today"]),
                limit=float(limit),
                sentence=sentence,
            )
        ]

    def _said(self, usual: Sequence[int], day: int) -> str:
        """Return what is usual, in words."""
        del day
        return f"{sum(usual) / len(usual):.1f} a day on the {len(usual)} usual days before"


@lru_cache(4096)
def usual_limit(total: int, days: int, probability: float) -> int:
    """Return the count that a day exceeds with at most ``probability``, after ``total`` documents in ``days`` days."""
    return int(nbinom.isf(probability, total + PRIOR, days / (days + 1)))
