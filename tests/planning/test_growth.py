"""Costs that are sums of terms come back exactly, also far beyond what was measured."""

import numpy as np
import pytest

from ctxlab.planning.growth import fit
from ctxlab.planning.shape import CONSTANT, PAIRS, TARGETS, TOKENS, Shape, largest

ALL = (TOKENS, CONSTANT, PAIRS, TARGETS)


def points(*widths: int) -> np.ndarray:
    return np.asarray([Shape(width, width * width).terms for width in widths])


@pytest.mark.parametrize("weights", [(7e6, 0, 0), (7e6, 5e4, 0), (7e6, 5e4, 1), (0, 0, 4), (0, 3, 0)])
def test_three_lengths_tell_a_constant_from_growth_with_tokens_and_with_pairs(weights):
    constant, tokens, pairs = weights
    measured = np.asarray([[constant + tokens * width + pairs * width**2] for width in (128, 256, 512)])
    found = Shape(65536, 65536**2).terms @ fit(points(128, 256, 512), measured, ALL)
    assert found == pytest.approx([constant + tokens * 65536 + pairs * 65536**2], rel=1e-6)


def test_no_cost_falls_where_a_shape_grows():
    noisy = np.asarray([[10.0], [9.0], [30.0]])
    assert (fit(points(128, 256, 512), noisy, ALL) >= 0).all()


def test_each_quantity_is_fitted_for_itself():
    both = np.asarray([[100.0 + 0 * width, 3.0 * width] for width in (128, 256)])
    assert Shape(1000, 0).terms @ fit(points(128, 256), both, ALL) == pytest.approx([100, 3000])


def test_shapes_that_others_cover_are_left_out():
    assert largest([Shape(10, 5), Shape(4, 9), Shape(3, 9), Shape(10, 5)]) == [Shape(10, 5), Shape(4, 9)]


def test_what_rows_share_is_told_from_what_each_of_them_has():
    """One row at two widths, and two rows at one of them, tell a mask of a pass from the scores of its rows."""
    shapes = [Shape(256, 1000, 0, 1000), Shape(400, 1700, 0, 1700), Shape(512, 2000, 0, 1000)]
    shared, own = [8.0 * one.row_pairs for one in shapes], [3.0 * one.pairs for one in shapes]
    found = fit(np.asarray([one.terms for one in shapes]), np.asarray([shared, own]).T, range(5))
    assert Shape(4096, 40_000, 0, 10_000).terms @ found == pytest.approx([80_000, 120_000])
