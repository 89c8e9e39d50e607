"""Dealing passes to lanes, and sums of their gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.runtime.ranks import Ranks
from ctxlab.training.lanes import Gradients, Sums, count, share, total

COSTS = st.lists(st.floats(0, 1e6), max_size=30)


@given(COSTS, st.integers(1, 8))
def test_every_pass_is_dealt_once_and_lanes_differ_by_a_pass_at_most(costs, lanes):
    dealt = share(costs, lanes)
    assert sorted(index for lane in dealt for index in lane) == list(range(len(costs)))
    assert all(lane == sorted(lane) for lane in dealt)
    sums = [sum(costs[i] for i in lane) for lane in dealt]
    assert max(sums) - min(sums) <= max(costs, default=0.0) + 1e-6
    assert dealt == share(costs, lanes)


def test_by_hand():
    assert share([5, 1, 4, 4], 2) == [[0, 1], [2, 3]]
    assert share([1.0], 3) == [[0], [], []]


def test_lanes_are_as_many_as_processes_or_a_multiple():
    assert [count(None, 1), count(None, 4), count(4, 2), count(2, 1)] == [1, 4, 4, 2]
    with pytest.raises(UserError, match=r"trainer\.lanes=3 cannot be dealt equally to 2 processes"):
        count(3, 2)


def test_gradients_of_lanes_are_summed_and_unused_parameters_keep_none():
    first, second, unused = (torch.nn.Parameter(torch.zeros(2, 3)) for _ in range(3))
    gradients = Gradients([first, unused, second])
    first.grad = torch.full((2, 3), 2.0)
    gradients.add_lane()
    assert first.grad is None
    first.grad, second.grad = torch.ones(2, 3), torch.arange(6.0).view(2, 3)
    gradients.add_lane()
    gradients.share(Ranks())
    assert first.grad.tolist() == [[3.0] * 3] * 2
    assert second.grad.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert unused.grad is None


def test_figures_of_lanes_are_added_in_their_order():
    rows = np.array([[0.1, 1, 2, 3, 4], [0.2, 10, 20, 30, 40], [0.3, 100, 200, 300, 400]])
    assert total(rows) == Sums((0.1 + 0.2) + 0.3, 111, 222, 333, 444)
