"""Characters that known tokens cover, counted by hand."""

import numpy as np

from ctxlab.text.known import NONE, Known, known_characters, known_words, notes, total

UNKNOWN = 9


def ints(*values):
    return np.asarray(values, np.int64)


def test_characters_of_unknown_tokens_are_counted_without_white_space():
    # "ab  北京 c"
    found = known_characters(ints(1, UNKNOWN, 2), ints(0, 4, 7), ints(2, 6, 8), UNKNOWN)
    assert found == Known(5, 2, 0)
    assert found.share == 3 / 5


def test_one_unknown_token_may_be_a_whole_text():
    assert known_characters(ints(UNKNOWN), ints(0), ints(200), UNKNOWN) == Known(200, 200, 0)
    assert known_characters(ints(UNKNOWN), ints(0), ints(0), UNKNOWN).share == 1
    assert known_characters(ints(), ints(), ints(), UNKNOWN).share == 1


def test_characters_whose_bytes_are_several_tokens_are_split_and_known():
    # 北 is three tokens, a one, 京 two
    found = known_characters(ints(1, 2, 3, 4, 5, 6), ints(0, 0, 0, 1, 2, 2), ints(1, 1, 1, 2, 3, 3), None)
    assert found == Known(3, 0, 2)
    assert found.split_share == 2 / 3


def test_a_word_with_an_unknown_token_is_lost_completely():
    assert known_words(["ab", "北京城", "c"], ints(1, 2, UNKNOWN, 3), ints(0, 1, 1, 2), UNKNOWN) == Known(6, 3, 0)
    assert known_words(["ab"], ints(1), ints(0), None) == Known(2, 0, 0)


def test_sums_and_notes():
    assert total([Known(3, 1, 0), Known(7, 0, 2)]) == Known(10, 1, 2)
    assert total([]) == NONE
    assert notes(Known(1000, 10, 0), "validation") == []
    assert "2.0%" in notes(Known(1000, 20, 0), "validation")[0]
    loud = notes(Known(1000, 600, 0), "validation")[0]
    assert loud.startswith("WARNING")
    assert "600 of 1,000 characters (60.0%) of validation" in loud
