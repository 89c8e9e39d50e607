"""Figures of tables with their intervals."""

import numpy as np

from ctxlab.evaluation.breakdown import estimate, mean
from ctxlab.evaluation.statistics import bootstrap, ratio, share_interval


def test_groups_are_drawn_with_all_of_their_cases():
    values, groups = np.repeat([0.0, 1.0], 500), np.repeat(np.arange(10), 100).tolist()
    found = mean(values, groups)
    drawn = bootstrap([[0, 100]] * 5 + [[100, 100]] * 5, ratio)
    assert found.cells == (0.5, drawn.low, drawn.high)


def test_cases_of_one_record_have_no_interval():
    assert mean([1.0, 0.0], ["a", "a"]).cells == (0.5, None, None)


def test_a_share_that_all_documents_agree_on_has_an_interval_of_the_documents_that_count():
    exact = share_interval(8, 8)
    assert estimate([[2, 2]] * 8 + [[0, 0]] * 4, ratio).cells == (1.0, exact.low, exact.high)
    assert mean([1.0] * 80, [n // 10 for n in range(80)]).cells == (1.0, exact.low, exact.high)


def test_what_is_no_share_keeps_its_interval():
    assert estimate([[0, 1]] * 8, ratio, is_share=False).cells == (0.0, 0.0, 0.0)
