"""Documents come back from their file as they were, field by field."""

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest

from ctxlab.core.types import Encoded
from ctxlab.data.token_file import ARRAYS, NUMBERS, TUPLES, TokenFile, write


def document(seed):
    draw = np.random.default_rng(seed)
    arrays = {name: draw.integers(-(2**31), 2**31, draw.integers(0, 50)) for name in ARRAYS}
    arrays["labels"] = draw.integers(-100, 2**62, 30)  # sets of labels need all bits
    tuples = {name: tuple(draw.integers(0, 1000, draw.integers(0, 4)).tolist()) for name in TUPLES}
    return Encoded(**arrays, **tuples, **{name: int(draw.integers(0, 2**40)) for name in NUMBERS})


def test_every_field_comes_back(tmp_path):
    documents = [document(seed) for seed in range(20)]
    write(tmp_path / "a.arrow", documents)
    found = TokenFile(tmp_path / "a.arrow")
    assert len(found) == 20
    for one, other in zip(documents, found, strict=True):
        for field in fields(Encoded):
            expected, value = getattr(one, field.name), getattr(other, field.name)
            assert type(value) is type(expected)
            np.testing.assert_array_equal(value, expected)
            if isinstance(value, np.ndarray):
                assert value.dtype == (np.float32 if field.name == "numbers" else np.int64)
                assert value.flags.writeable


def test_places_count_from_both_ends(tmp_path):
    write(tmp_path / "a.arrow", [Encoded(*[np.arange(n)] * 3) for n in range(5)])
    found = TokenFile(tmp_path / "a.arrow")
    assert [len(one) for one in found] == [0, 1, 2, 3, 4]
    assert len(found[-1]) == 4
    assert [len(one) for one in found[1:4:2]] == [1, 3]
    with pytest.raises(IndexError):
        found[5]


def test_a_changed_copy_does_not_change_the_file(tmp_path):
    write(tmp_path / "a.arrow", [Encoded(*[np.arange(4)] * 3)])
    found = TokenFile(tmp_path / "a.arrow")
    found[0].input_ids[:] = 7
    assert found[0].input_ids.tolist() == [0, 1, 2, 3]


def test_a_number_that_does_not_fit_is_an_error_and_not_another_number(tmp_path):
    with pytest.raises(pa.ArrowInvalid):
        write(tmp_path / "a.arrow", [Encoded(np.asarray([2**31]), np.zeros(1, int), np.zeros(1, int))])


def test_nothing_is_in_memory_until_it_is_asked_for(tmp_path):
    """The arrays of the allocator hold the edges of documents at most; the file has 24 bytes a token and more."""
    write(tmp_path / "a.arrow", [Encoded(*[np.arange(200_000)] * 3)])
    before = pa.total_allocated_bytes()
    found = TokenFile(tmp_path / "a.arrow")
    assert pa.total_allocated_bytes() - before < 10_000
    assert (tmp_path / "a.arrow").stat().st_size > 200_000 * 16
    assert len(found[0]) == 200_000
