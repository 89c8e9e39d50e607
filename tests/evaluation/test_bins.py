import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.evaluation.bins import DISTANCES, LENGTHS, PARTS, TENTHS, by_part, by_size, cut, sizes

VALUES = st.lists(st.none() | st.integers(1, 200_000) | st.sampled_from(LENGTHS), max_size=30)
SHARES = st.lists(st.none() | st.floats(0, 1), max_size=30)


def in_order(bins):
    return [i for _, chosen in bins for i in chosen]


@given(VALUES)
def test_every_size_is_in_exactly_one_bin(values):
    assert sorted(in_order(by_size(values, LENGTHS))) == [i for i, value in enumerate(values) if value is not None]


@given(SHARES)
def test_every_share_is_in_exactly_one_tenth(shares):
    assert sorted(in_order(by_part(shares))) == [i for i, share in enumerate(shares) if share is not None]


def test_an_edge_belongs_to_the_bin_that_it_ends():
    assert by_size([32, 33, 2048, 2049], DISTANCES) == [
        ("1–32", [0]),
        ("33–128", [1]),
        ("513–2,048", [2]),
        ("over 2,048", [3]),
    ]


def test_the_least_value_is_in_the_first_bin_and_what_is_below_in_none():
    assert by_size([0, 1], (8,)) == [("1–8", [1])]
    assert by_size([-1, 0, 8], (8,), least=0) == [("0–8", [1, 2])]


def test_tenths_by_hand():
    assert by_part([0.0, 0.0999, 0.1, 0.3, 0.95, 1.0, None]) == [
        ("0–10 %", [0, 1]),
        ("10–20 %", [2]),
        ("30–40 %", [3]),
        ("90–100 %", [4, 5]),
    ]


@given(st.integers(1, 10**9).flatmap(lambda num: st.tuples(st.integers(0, num - 1), st.just(num))))
def test_the_tenth_of_a_word_is_that_of_whole_numbers(place):
    word, num_words = place
    assert [tenth.index for tenth in TENTHS if word / num_words in tenth] == [word * PARTS // num_words]


@given(st.lists(st.integers(0, 5000), min_size=1))
def test_values_in_a_batch_get_the_same_bins_as_one_by_one(values):
    for size in sizes(DISTANCES, least=0):
        assert size.holds(np.asarray(values)).tolist() == [value in size for value in values]


@pytest.mark.parametrize("num", [0, 3, 10, 47])
def test_parts_are_equal_and_cover_everything(num):
    parts = cut(range(num))
    assert [item for part in parts for item in part] == list(range(num))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len(parts) == PARTS
