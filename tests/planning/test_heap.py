"""Peaks of worked examples."""

import pytest

from ctxlab.planning.heap import HOLES, HOLES_SHARE, MAPPED_BYTES, Peak, peak


def test_the_peak_is_the_most_that_is_alive_at_once():
    events = [(0, True), (1, True), (0, False), (2, True), (1, False)]
    assert peak(events, [100, 50, 70], [10, 20]) == Peak(180, 180, 0, lasting_bytes=30)


def test_what_is_on_the_heap_and_what_has_pages_of_its_own_peak_at_different_times():
    """100 bytes on the heap are freed before the large tensor comes."""
    large = MAPPED_BYTES
    found = peak([(0, True), (0, False), (1, True)], [100, large], [])
    assert found == Peak(large, 100, large)
    assert found.process_bytes == pytest.approx(100 * (1 + HOLES_SHARE + HOLES[0]) + large)


def test_large_states_have_pages_of_their_own_all_the_time():
    assert peak([(0, True)], [100], [MAPPED_BYTES, 5]) == Peak(MAPPED_BYTES + 105, 105, MAPPED_BYTES, lasting_bytes=5)


def test_gradients_beside_a_peak_add_to_it():
    assert Peak(10, 4, 6).beside([1, MAPPED_BYTES]) == Peak(11 + MAPPED_BYTES, 5, 6 + MAPPED_BYTES, lasting_bytes=1)


def test_what_stays_leaves_no_holes_and_holes_are_limited():
    assert Peak(2**30, 2**30, 0, lasting_bytes=2**30).process_bytes == 2**30
    assert Peak(2**31, 2**31, 0, lasting_bytes=2**30).process_bytes == pytest.approx(
        2**31 + HOLES_SHARE * 2**30 + HOLES[1]
    )
