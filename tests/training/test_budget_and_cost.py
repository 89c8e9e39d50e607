"""Budgets compose; what is not finite stops a run; signals are heard."""

import math
import signal
from types import SimpleNamespace

import pytest

from ctxlab.core.errors import UserError
from ctxlab.training.budget import Budget
from ctxlab.training.faults import StopRequest, check_finite
from ctxlab.training.state import TrainState


def test_the_nearest_limit_counts():
    state = TrainState(step=10, epoch=1, batch=5, seconds=30.0, tokens=1000)
    assert Budget(max_steps=100).progress(state, 10) == 0.1
    assert Budget(max_epochs=3).progress(state, 10) == 0.5
    assert Budget(max_seconds=40).progress(state, 10) == 0.75
    assert Budget(max_tokens=4000).progress(state, 10) == 0.25
    assert Budget(100, 3, 40, 4000).progress(state, 10) == 0.75
    assert Budget(max_steps=5).progress(state, 10) == 1.0
    assert Budget().progress(state, 10) == 0.0


def test_without_any_limit_a_run_has_three_epochs():
    limits = {"max_steps": None, "max_epochs": None, "max_seconds": None, "max_tokens": None}
    assert Budget.of(SimpleNamespace(**limits)) == Budget(max_epochs=3)
    assert Budget.of(SimpleNamespace(**{**limits, "max_seconds": 9.0})) == Budget(max_seconds=9.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_names_step_and_documents(value):
    with pytest.raises(UserError, match=r"loss is .* at step 7 \(documents a, b\)"):
        check_finite("loss", value, 7, ["a", "b", "a"])
    check_finite("loss", 1.0, 7, ["a"])


def test_signals_are_heard_and_handlers_put_back():
    former = signal.getsignal(signal.SIGTERM)
    with StopRequest().listening() as stop:
        assert stop.signal_number is None
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal_number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == former
