import pytest

from ctxlab.runtime.elastic import _status


@pytest.mark.parametrize(
    ("codes", "status"),
    [([2, 2], 2), ([1, 3], 3), ([1, 1], 1), ([-9, 1], 137), ([143, 1], 143), ([], 1)],
)
def test_the_status_is_that_of_the_process_that_knows_why(codes, status):
    assert _status(codes) == status
