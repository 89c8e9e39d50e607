"""The mean of several tasks' primary figures, whichever way each of them goes."""

import numpy as np
import pytest

from ctxlab.evaluation.sufficient.multi import STATISTIC


def unit(member, primary, lower, **of):
    return {"member": member, "primary": primary, "lower": lower, "of": of}


TAGS = [unit("ner", "f1", False, entities={"correct": c, "predicted": 4, "gold": 4}) for c in (1, 3)]
NUMBERS = [unit("grade", "mse", True, regression={"gold": 2.0, "predicted": p}) for p in (2.0, 4.0)]
OTHERS = [unit("stars", "mse", True, regression={"gold": 1.0, "predicted": 2.0})]


def test_figures_that_go_one_way_are_averaged():
    found = STATISTIC.figures([*NUMBERS, *OTHERS])
    assert (found["grade_mse"], found["stars_mse"], found["mean"]) == (2.0, 1.0, 1.5)


def test_where_they_differ_an_error_counts_as_1_over_1_plus_it():
    """Worked by hand: F1 of 4 right, 8 predicted, 8 gold is 0.5; a squared error of 2 counts as 1/3."""
    found = STATISTIC.figures([*TAGS, *NUMBERS])
    assert found["ner_f1"] == pytest.approx(0.5)
    assert found["mean"] == pytest.approx((0.5 + 1 / 3) / 2)


def test_weights_are_those_of_each_members_own_units():
    """The same as figures of only the units that count."""
    found = STATISTIC.figures([*TAGS, *NUMBERS], np.asarray([[1.0, 0, 0, 1], [0, 1, 1, 0]]))
    for row, kept in enumerate(([TAGS[0], NUMBERS[1]], [TAGS[1], NUMBERS[0]])):
        expected = STATISTIC.figures(kept)
        assert {name: value[row] for name, value in found.items() if not np.isnan(value[row])} == pytest.approx(
            {name: value[0] for name, value in expected.items() if not np.isnan(value[0])}
        )


def test_a_member_without_units_leaves_the_mean_undefined():
    assert np.isnan(STATISTIC.figures([*NUMBERS, *OTHERS], np.asarray([[1.0, 1, 0]]))["mean"]).all()
