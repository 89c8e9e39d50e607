"""Locks: one holder at a time, until it releases."""

import os

from ctxlab.core import locks


def test_a_lock_is_taken_once_and_again_after_it_is_released(tmp_path):
    path = tmp_path / "lock"
    first = locks.take(path)
    assert locks.take(path) is None
    os.close(first)
    with locks.locked(path):
        assert locks.take(path) is None
    second = locks.take(path)
    assert second is not None
    os.close(second)
