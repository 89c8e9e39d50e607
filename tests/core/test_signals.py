"""Signals are noted, or raised at once; afterwards everything is as before."""

import contextlib
import os
import signal
import threading
import time

import pytest

from ctxlab.core.errors import Interrupted
from ctxlab.core.signals import STOPPING, StopRequest, held, raising


@pytest.fixture(autouse=True)
def not_ignored():
    """Tests that a shell started in the background have SIGINT ignored."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_noticed_and_the_handlers_are_restored(number):
    before = signal.getsignal(number)
    with StopRequest().listening() as request:
        assert request.signal_number is None
        signal.raise_signal(number)
        assert request.signal_number == number
        with pytest.raises(Interrupted) as stop:
            signal.raise_signal(signal.SIGINT)  # a second one does not wait
        assert stop.value.signal_number == number
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", STOPPING)
def test_work_that_is_easily_repeated_ends_at_once_whatever_libraries_catch(number):
    before = signal.getsignal(number)

    def catches_all() -> None:
        with contextlib.suppress(Exception):
            signal.raise_signal(number)

    with StopRequest().listening() as outer, pytest.raises(Interrupted) as stop, raising():
        catches_all()
    assert stop.value.signal_number == number
    assert outer.signal_number is None
    assert signal.getsignal(number) == before


def test_signals_that_are_ignored_stay_ignored():
    """As SIGINT is in a job that a shell started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequest().listening() as request, raising():
            signal.raise_signal(signal.SIGINT)
        assert request.signal_number is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


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


def test_a_signal_waits_for_what_belongs_together_whatever_thread_receives_it():
    """Libraries have threads of their own, to which the system may give it."""
    over, done, before = threading.Event(), [], signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=over.wait)
    thread.start()

    def two_things() -> None:
        with held():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.02)
            done.append("first")
            done.append("second")
        done.append("after")

    try:
        with pytest.raises(Interrupted) as stop, raising():
            two_things()
        assert stop.value.signal_number == signal.SIGTERM
    finally:
        over.set()
        thread.join()
    assert done == ["first", "second"]
    assert signal.getsignal(signal.SIGTERM) == before


def swallows(number):
    """As a library does that is imported, or Python where an object is deleted."""
    with contextlib.suppress(BaseException):
        signal.raise_signal(number)


def says_something_else(number):
    swallows(number)
    raise RuntimeError("what the library says instead")


def test_a_signal_that_a_library_swallows_ends_the_block():
    with pytest.raises(Interrupted) as stop, raising():
        swallows(signal.SIGTERM)
    assert stop.value.signal_number == signal.SIGTERM
    with pytest.raises(Interrupted) as stop, raising():
        says_something_else(signal.SIGUSR1)
    assert stop.value.signal_number == signal.SIGUSR1


def test_a_signal_that_a_library_swallows_is_received_by_who_listens_next():
    with raising():
        swallows(signal.SIGTERM)
        with StopRequest().listening() as request:
            assert request.signal_number == signal.SIGTERM
    with raising(), StopRequest().listening() as request:
        assert request.signal_number is None


def test_a_second_signal_is_noted_where_it_would_be_swallowed():
    with StopRequest(raises_again=False).listening() as request:
        signal.raise_signal(signal.SIGTERM)
        assert not request.is_urgent
        signal.raise_signal(signal.SIGTERM)
        assert (request.signal_number, request.is_urgent) == (signal.SIGTERM, True)
