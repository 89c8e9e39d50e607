"""Surges: planted ones are found at once, constant rates stay silent, and limits are the quantiles of a simulation."""

import json
from datetime import date

import numpy as np
import pytest

from ctxlab.core.errors import UserError
from ctxlab.monitoring.surge.none import NoSurge
from ctxlab.monitoring.surge.poisson import Poisson, usual_limit
from tests.monitoring.streams import days, rings

RATES = {"billing": 6.0, "delivery": 3.0, "praise": 1.5}
RULE = Poisson(days_per_false_alarm=90, history_days=28, least_days=7)


def test_the_limit_is_exceeded_as_rarely_as_said():
    """Oracle: rates drawn from the posterior (gamma, Jeffreys' prior), and a Poisson count of each."""
    random = np.random.default_rng(1)
    for total, num_days in ((0, 10), (40, 10), (300, 28)):
        counts = random.poisson(random.gamma(total + 0.5, 1 / num_days, 400_000))
        limit = usual_limit(total, num_days, 0.01)
        assert (counts > limit).mean() <= 0.0107
        assert (counts > limit - 1).mean() > 0.0093


def test_constant_rates_ring_at_most_once_in_90_days():
    random = np.random.default_rng(2)
    found = [rings(RULE, days(random, RATES, 90)) for _ in range(30)]
    assert sum(map(len, found)) <= 30


@pytest.mark.parametrize("seed", range(8))
def test_a_planted_surge_is_found_within_two_days_and_rings_once(seed):
    random = np.random.default_rng(seed)
    found = [a for a in rings(RULE, days(random, RATES, 44, surge=("delivery", 40, 5.0))) if a.day >= "2026-02-10"]
    assert [(alarm.subject, alarm.rule) for alarm in found] == [("delivery", "poisson")]
    assert found[0].day <= "2026-02-11"
    assert found[0].value > found[0].limit


def test_days_without_documents_count_as_days():
    random = np.random.default_rng(3)
    state = {}
    assert rings(RULE, days(random, {"a": 2.0}, 20), state=state) == []
    quiet = json.loads(json.dumps(state))
    later = next(days(random, {"a": 9.0}, 1, first=date(2026, 2, 25)))
    RULE.step(quiet, later, None)
    assert quiet["groups"]["a"]["days"][-30:].count(0) >= 25


def test_a_new_group_had_no_documents_before():
    random = np.random.default_rng(4)
    state = {}
    rings(RULE, days(random, {"a": 2.0}, 30), state=state)
    found = rings(RULE, days(random, {"b": 12.0}, 1, first=date(2026, 1, 31)), state=state)
    assert [alarm.subject for alarm in found] == ["b"]


def test_a_state_that_was_saved_continues_alike():
    random = np.random.default_rng(5)
    stream = list(days(random, RATES, 44, surge=("billing", 40, 4.0)))
    state, found = {}, []
    for one in stream:
        found += RULE.step(state, one, None)
        state = json.loads(json.dumps(state))
    assert found == rings(RULE, stream) != []


def test_bad_values():
    with pytest.raises(UserError, match=r"surge\.days_per_false_alarm=1"):
        Poisson(1, 28, 7)
    with pytest.raises(UserError, match=r"surge\.least_days=30"):
        Poisson(180, 28, 30)
    assert NoSurge().step({}, next(days(np.random.default_rng(1), {"a": 9.0}, 1)), None) == []


def test_days_of_a_surge_are_not_usual_ones():
    random, state = np.random.default_rng(7), {}
    rings(RULE, days(random, RATES, 44, surge=("delivery", 40, 8.0)), state=state)
    usual = state["groups"]["delivery"]["days"]
    assert len(usual) == 28
    assert max(usual) < 15
