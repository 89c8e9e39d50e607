"""A candidate's own interval: Student's, cut at 0 and 1 where the figure is a share."""

import numpy as np

from ctxlab.comparison import single_interval
from ctxlab.evaluation.statistics import share_interval
from tests.comparison.simulated import contenders


def test_the_interval_of_a_share_ends_at_1():
    """Two seeds of which one is perfect have an interval that reaches far above 1."""
    good, perfect = [[9, 10, 10]] * 6, [[10, 10, 10]] * 6
    (one,) = contenders(np.asarray([[good, perfect]], dtype=float))
    whole = single_interval.interval(one.scored, lower_is_better=True)
    cut = single_interval.interval(one.scored, lower_is_better=False)
    assert whole.low < 0.95 < 1 < whole.high
    assert (cut.low, cut.high) == (max(whole.low, 0), 1)


def test_documents_that_are_all_right_do_not_say_that_every_further_one_is():
    (one,) = contenders(np.asarray([[[[10, 10, 10]] * 6] * 2], dtype=float))
    assert single_interval.interval(one.scored, lower_is_better=False) == share_interval(6, 6)
    found = single_interval.interval(one.scored, lower_is_better=True)
    assert found.low == found.high == 1.0, "no share: nothing says how far another document could be"
