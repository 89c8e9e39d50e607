"""Arrays survive packing, whatever their types and shapes."""

import numpy as np
import pytest

from ctxlab.runtime.packing import pack, unpack

ARRAYS = [
    np.arange(5, dtype=np.int64),
    np.array([1.5, float("nan"), -0.0], np.float32),
    np.zeros((0, 7), np.float32),
    np.array(3.25),
    np.arange(6, dtype=np.uint8).reshape(2, 3).T,  # not contiguous
    np.array([True, False, True]),
]


@pytest.mark.parametrize("count", range(len(ARRAYS) + 1))
def test_what_is_unpacked_is_what_was_packed(count):
    packed = pack(ARRAYS[:count])
    longer = np.concatenate([packed, np.full(13, 255, np.uint8)])  # as exchanged, up to the longest of all processes
    for found in (unpack(packed), unpack(longer)):
        assert len(found) == count
        for one, other in zip(found, ARRAYS, strict=False):
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def test_they_are_read_in_place():
    packed = pack(ARRAYS[:2])
    assert all(np.shares_memory(packed, one) and one.flags.aligned for one in unpack(packed))
