"""Numbers of workers, by hand."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.serving.scaling import Pace, Steps, desired
from ctxlab.serving.settings import workers


def test_as_many_workers_as_read_what_waits_in_time():
    assert desired(0, 1000, 10) == 1
    assert desired(10_000, 1000, 10) == 1
    assert desired(10_001, 1000, 10) == 2
    assert desired(95_000, 1000, 10) == 10
    assert desired(95_000, 0, 10) == 1  # nothing was measured yet


def test_up_at_once_and_down_after_a_while():
    steps = Steps(1, 3, idle_seconds=30)
    assert steps.change(1, 9, now=0) == 2
    assert steps.change(3, 9, now=1) == 0
    assert [steps.change(3, 1, now=now) for now in (2, 31, 32)] == [0, 0, -1]
    assert [steps.change(2, 1, now=now) for now in (33, 61, 62)] == [0, 0, -1]
    assert steps.change(1, 1, now=63) == 0
    steps.change(2, 1, now=70)
    steps.change(2, 2, now=80)  # the need is back
    assert steps.change(2, 1, now=101) == 0
    assert Steps(2, 2).change(1, 1, now=0) == 1  # never below the smallest number


def test_paces_are_running_means():
    pace = Pace()
    pace.measured(1000, 500)
    assert pace.tokens(100) == pytest.approx(100 * (0.25 + 0.2 * 0.25))
    pace.read(100, 1.0)
    assert pace.tokens_per_second == 100
    pace.read(200, 1.0)
    assert pace.tokens_per_second == pytest.approx(120)
    pace.read(0, 0.0)
    assert pace.tokens_per_second == pytest.approx(120)


@pytest.mark.parametrize(("given", "expected"), [("1", (1, 1)), ("1..4", (1, 4)), (" 2..2 ", (2, 2))])
def test_numbers_and_ranges(given, expected):
    assert workers(given) == expected


@pytest.mark.parametrize("given", ["0", "4..1", "a", "1..", "-1", "1...2", "0..3", ""])
def test_what_is_neither_is_a_sentence(given):
    with pytest.raises(UserError, match="neither a number of processes nor a range"):
        workers(given)
