"""The cyclic schedule against the formula of Huang et al. 2017, equation 2, and the ends of its cycles."""

import math

import pytest

from ctxlab.core.errors import UserError
from ctxlab.optim.schedules.cyclic import Cyclic


@pytest.mark.parametrize("num_cycles", [1, 3, 5])
def test_each_cycle_is_half_a_cosine_wave(num_cycles):
    schedule, steps = Cyclic(0.0, num_cycles, 0.0), 60
    for step in range(steps):
        place = (step % (steps // num_cycles)) / (steps // num_cycles)
        expected = 0.5 * (math.cos(math.pi * place) + 1)
        assert schedule.factor(step / steps) == pytest.approx(expected, abs=1e-8)


def test_it_begins_at_the_peak_and_ends_at_the_floor():
    schedule = Cyclic(0.2, 2, 0.1)
    assert [schedule.factor(p) for p in (0.0, 0.1, 0.2)] == pytest.approx([0, 0.5, 1])
    assert schedule.factor(0.6 - 1e-7) == pytest.approx(0.1, abs=1e-5)
    assert schedule.factor(0.6) == pytest.approx(1)
    assert schedule.factor(1.0) == pytest.approx(0.1)


def test_cycles_end_at_equal_shares_of_what_follows_the_warm_up():
    schedule = Cyclic(0.1, 3, 0.0)
    assert [schedule.cycles_ended(p) for p in (0.0, 0.05, 0.39, 0.4, 0.69, 0.7, 0.99, 1.0)] == [0, 0, 0, 1, 1, 2, 2, 3]
    plain = Cyclic(0.0, 3, 0.0)
    for steps in (3, 7, 9, 30, 100):
        over = [plain.cycles_ended(step / steps) for step in range(steps + 1)]
        ends = [step for step in range(1, steps + 1) if over[step] > over[step - 1]]
        assert ends == [math.ceil(steps * k / 3) for k in (1, 2, 3)]


def test_no_cycles_are_refused():
    with pytest.raises(UserError, match=r"scheduler\.num_cycles=0"):
        Cyclic(0.1, 0, 0.0)
