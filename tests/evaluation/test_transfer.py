"""The figures of a matrix of scores, worked by hand."""

import pytest

from ctxlab.evaluation.transfer import transfer

SCORES = [[0.8, 0.3, 0.1], [0.6, 0.9, 0.2], [0.5, 0.7, 0.6]]
UNTRAINED = [0.1, 0.1, 0.25]


def test_a_matrix_worked_by_hand():
    found = transfer(SCORES, UNTRAINED)
    assert found.accuracy == pytest.approx((0.5 + 0.7 + 0.6) / 3)
    assert found.backward == pytest.approx(((0.5 - 0.8) + (0.7 - 0.9)) / 2)  # -0.25
    assert found.forward == pytest.approx(((0.3 - 0.1) + (0.2 - 0.25)) / 2)  # 0.075


def test_what_is_lower_and_better_counts_as_a_gain():
    """The same history told by errors instead of scores."""
    errors = [[1 - score for score in row] for row in SCORES]
    found = transfer(errors, [1 - score for score in UNTRAINED], lower_is_better=True)
    told = transfer(SCORES, UNTRAINED)
    assert (found.backward, found.forward) == pytest.approx((told.backward, told.forward))
    assert found.accuracy == pytest.approx(1 - told.accuracy)


def test_two_stages_that_nothing_connects():
    found = transfer([[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0])
    assert (found.accuracy, found.backward, found.forward) == (1.0, 0.0, 0.0)
