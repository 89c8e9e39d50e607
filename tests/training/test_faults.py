"""Signals that a loop sees between steps, and losses that are not finite."""

import signal
import threading

import pytest

from ctxlab.core.errors import UserError
from ctxlab.training.faults import StopRequest, check_finite


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noticed_and_the_handlers_are_restored(number):
    before = signal.getsignal(number)
    with StopRequest().listening() as request:
        assert request.signal_number is None
        signal.raise_signal(number)
        assert request.signal_number == number
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # a second one does not wait
    assert signal.getsignal(number) == before


def test_outside_the_main_thread_nothing_is_changed():
    before, done = signal.getsignal(signal.SIGTERM), []

    def run():
        with StopRequest().listening() as request:
            done.append(request.signal_number)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [None]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_names_step_and_documents(value):
    check_finite("loss", 1e30, 3, ["a"])
    with pytest.raises(UserError, match=rf"loss is {value} at step 3 .*\ba, b\b"):
        check_finite("loss", value, 3, ["a", "a", "b"])
