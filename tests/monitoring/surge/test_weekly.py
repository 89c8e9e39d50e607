"""Counts with a weekly rhythm: a busy Monday is no surge, one that is busier than Mondays are is one."""

import json
from datetime import date, timedelta

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.core.monitoring import LENGTH, Seen
from ctxlab.monitoring.surge.poisson import Poisson
from ctxlab.monitoring.surge.weekly import Weekly
from tests.monitoring.streams import rings

RATES = {"billing": 6.0, "delivery": 3.0}
RHYTHM = (3.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2)
"""Factors of the days of the week, from Monday on."""

FIRST = date(2026, 1, 5)
"""A Monday."""

RULE = Weekly(days_per_false_alarm=90, history_weeks=8, least_weeks=3)


def weeks(random, count, surge=None, first=FIRST):
    """Documents by day; ``surge`` is a group, a day and a factor."""
    number = 0
    for offset in range(count):
        day = first + timedelta(days=offset)
        for group, rate in RATES.items():
            factor = surge[2] if surge and (group, offset) == surge[:2] else 1
            for _ in range(random.poisson(rate * RHYTHM[day.weekday()] * factor)):
                number += 1
                yield Seen(f"d{number}", number, {LENGTH: 10.0}, group=group, day=day)


def test_busy_mondays_ring_at_most_once_in_90_days_and_without_the_rhythm_every_week():
    random = np.random.default_rng(1)
    streams = [list(weeks(random, 90)) for _ in range(12)]
    assert sum(len(rings(RULE, stream)) for stream in streams) <= 12
    constant = Poisson(days_per_false_alarm=90, history_days=28, least_days=7)
    assert sum(len(rings(constant, stream)) for stream in streams) > 5 * 12


@pytest.mark.parametrize("seed", range(4))
def test_a_monday_that_is_busier_than_mondays_is_found(seed):
    random = np.random.default_rng(seed)
    found = [one for one in rings(RULE, weeks(random, 64, ("delivery", 63, 4.0))) if one.day == "2026-03-09"]
    assert [(one.subject, one.rule) for one in found] == [("delivery", "weekly")]
    assert "usual Mondays before" in found[0].sentence


def test_counts_are_those_of_the_weekday_after_days_without_documents():
    """Two Mondays of 5 with nothing between them, and one after two empty weeks."""
    state = {}
    for offset in (0, 7, 28):
        for number in range(5):
            RULE.step(state, Seen("d", number, {}, group="a", day=FIRST + timedelta(days=offset)), None)
    RULE.step(state, Seen("d", 0, {}, group="a", day=FIRST + timedelta(days=29)), None)
    monday = FIRST.toordinal() % 7
    assert state["groups"]["a"]["weekdays"][monday] == [5, 5, 0, 0, 5]
    assert state["groups"]["a"]["weekdays"][(monday + 2) % 7] == [0, 0, 0, 0]


def test_a_long_pause_leaves_nothing_and_keeps_the_weekdays():
    state = {}
    RULE.step(state, Seen("d", 1, {}, group="a", day=FIRST), None)
    RULE.step(state, Seen("d", 1, {}, group="a", day=FIRST + timedelta(days=700)), None)
    assert all(counts == [0] * 8 for counts in state["groups"]["a"]["weekdays"])


def test_a_state_that_was_saved_continues_alike():
    stream = list(weeks(np.random.default_rng(5), 64, ("billing", 63, 4.0)))
    state, found = {}, []
    for one in stream:
        found += RULE.step(state, one, None)
        state = json.loads(json.dumps(state))
    assert found == rings(RULE, stream) != []


def test_bad_values():
    with pytest.raises(UserError, match=r"surge\.least_weeks=9 and surge\.history_weeks=8"):
        Weekly(90, 8, 9)
